import InterprocessSystem

/// Loans of a publisher: chunks that are somebody's until they are published or given back.
extension PublisherCore {
    /// A chunk for a loan.
    @usableFromInline
    mutating func loan(_ size: Int, _ strategy: WaitStrategy, until deadline: Deadline) throws(PublishError<Void>) -> ChunkClaim {
        try beginLoan()
        return try lent(claim(size, strategy, until: deadline))
    }

    mutating func loan(_ size: Int, until deadline: Deadline) async throws(PublishError<Void>) -> ChunkClaim {
        try beginLoan()
        return try lent(await claim(size, until: deadline))
    }

    private var tooManyLoans: PublishError<Void> { PublishError(.tooManyLoans(limit: topic.shape.holds), ()) }

    private func beginLoan() throws(PublishError<Void>) {
        guard unsafe sole != nil || topic.beginHolding() else { throw tooManyLoans }
    }

    private mutating func lent(_ claiming: Claiming) throws(PublishError<Void>) -> ChunkClaim {
        switch claiming {
        case .failed(let failure):
            if unsafe sole == nil { topic.endHolding() }
            throw PublishError(failure, ())
        case .chunk(var claim):
            guard let sole = unsafe sole else { return claim }
            guard let place = unsafe sole.pointee.lend(claim.index, topic) else {
                keep(claim)
                throw tooManyLoans
            }
            claim.place = place
            return claim
        }
    }

    /// A caller's mistakes.
    @usableFromInline
    func check(_ claim: ChunkClaim, of other: TopicCore?, isPublished: Bool) {
        precondition(!isPublished, "a loan is published once")
        let isMine = if let place = claim.place { topic.holds.isSame(place) } else { topic === other }
        precondition(isMine, "a loan is published by the publisher that it came from")
    }

    @usableFromInline
    mutating func publishLoan(_ claim: ChunkClaim, _ strategy: WaitStrategy, until deadline: Deadline) throws(PublishError<Void>) {
        try endLoan(claim, publish(claim, strategy, until: deadline))
    }

    mutating func publishLoan(_ claim: ChunkClaim, until deadline: Deadline) async throws(PublishError<Void>) {
        try endLoan(claim, await publish(claim, until: deadline))
    }

    /// After it was published, or not.
    private func endLoan(_ claim: ChunkClaim, _ failure: PublishFailure?) throws(PublishError<Void>) {
        if let failure { throw PublishError(failure, ()) }
        if let place = claim.place { unsafe sole?.pointee.endLoan(place) }
    }
}
