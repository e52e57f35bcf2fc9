/// The asynchronous forms: no thread is blocked, and a cancelled task's waiting ends with `cancelled` at once. They sleep on ``InterprocessExecutor``, see
/// there.
extension Publisher {
    /// As ``publish(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``PublishError`` with the message: `cancelled`, or what the blocking form throws.
    public mutating func publish(_ message: Element, until deadline: Deadline = .never) async throws(PublishError<Element>) {
        switch await core.claim(MemoryLayout<Element>.size, until: deadline) {
        case .failed(let failure): throw PublishError(failure, message)
        case .chunk(let claim):
            unsafe core.bytes(claim).storeBytes(of: message, as: Element.self)
            guard let failure = await core.publish(claim, until: deadline) else { return }
            core.keep(claim)
            throw PublishError(failure, message)
        }
    }

    /// As ``publish(until:_:)``, and suspends instead of blocking; `body` itself does not.
    ///
    /// - Throws: ``PublishError`` `cancelled`, or what the blocking form throws.
    public mutating func publish<R, E: Error>(
        until deadline: Deadline = .never, _ body: (inout Element) throws(E) -> R
    ) async throws(PublishError<Void>) -> Result<R, E> {
        switch await core.claim(MemoryLayout<Element>.size, until: deadline) {
        case .failed(let failure): throw PublishError(failure, ())
        case .chunk(let claim):
            let result: R
            do throws(E) {
                result = try unsafe body(&core.bytes(claim).assumingMemoryBound(to: Element.self).pointee)
            } catch {
                core.keep(claim)
                return .failure(error)
            }
            guard let failure = await core.publish(claim, until: deadline) else { return .success(result) }
            core.keep(claim)
            throw PublishError(failure, ())
        }
    }

    /// As ``loan(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``PublishError`` `cancelled`, or what the blocking form throws.
    public mutating func loan(until deadline: Deadline = .never) async throws(PublishError<Void>) -> Loan<Element> {
        let claim = try await core.loan(MemoryLayout<Element>.size, until: deadline)
        return unsafe Loan(core.topic, claim, core.bytes(claim))
    }

    /// As ``publish(_:until:)-(Loan<Element>,_)``, and suspends instead of blocking.
    ///
    /// - Parameter loan: of this publisher, and not published yet, which are preconditions.
    /// - Throws: ``PublishError`` `cancelled`, or what the blocking form throws; then the loan is as it was.
    public mutating func publish(_ loan: inout Loan<Element>, until deadline: Deadline = .never) async throws(PublishError<Void>) {
        unsafe core.check(loan.claim, of: loan.topic, isPublished: loan.bytes == nil)
        try await core.publishLoan(loan.claim, until: deadline)
        unsafe loan.bytes = nil
    }
}

extension BytePublisher {
    /// As ``loan(upTo:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``PublishError`` `cancelled`, or what the blocking form throws.
    public mutating func loan(upTo byteCount: Int, until deadline: Deadline = .never) async throws(PublishError<Void>) -> ByteLoan {
        try checkSize(byteCount)
        return ByteLoan(core.topic, try await core.loan(byteCount, until: deadline), byteCount)
    }

    /// As ``publish(_:until:)-(ByteLoan,_)``, and suspends instead of blocking.
    ///
    /// - Throws: ``PublishError`` `cancelled`, or what the blocking form throws; then the loan is as it was.
    public mutating func publish(_ loan: inout ByteLoan, until deadline: Deadline = .never) async throws(PublishError<Void>) {
        prepare(loan)
        try await core.publishLoan(loan.claim, until: deadline)
        loan.isPublished = true
    }
}

extension Subscriber {
    /// As ``receive(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SubscriptionError`` `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(SubscriptionError) -> Element? {
        while true {
            guard let place = try await core.next(until: deadline) else { return nil }
            if let message = copy(place) { return message }
        }
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SubscriptionError`` `cancelled`, or what the blocking form throws.
    public mutating func take(until deadline: Deadline = .never) async throws(SubscriptionError) -> Sample<Element>? {
        guard let hold = try await core.take(until: deadline) else { return nil }
        return Sample(core.topic, hold)
    }

    /// The messages as a sequence, which takes the subscriber over: it ends when the topic is finished and everything was received.
    ///
    /// ```swift
    /// for try await reading in subscriber.messages() { show(reading.message, reading.missed) }
    /// ```
    public consuming func messages() -> some AsyncSequence<TopicMessage<Element>, SubscriptionError> { MessageSequence(self) }
}

/// A message of a topic, with its number.
public struct TopicMessage<Message: Sendable>: Sendable {
    public let message: Message
    /// Its number: the first message of a topic has number 0.
    public let sequence: UInt64
    /// How many messages before it this subscriber has missed since the one that it received before.
    public let missed: UInt64
}

extension Subscriber: MessageSource {
    mutating func nextMessage() async throws(SubscriptionError) -> TopicMessage<Element>? {
        guard let message = try await receive() else { return nil }
        return TopicMessage(message: message, sequence: lastSequence ?? 0, missed: lastMissed)
    }
}

extension ByteSubscriber: MessageSource {
    mutating func nextMessage() async throws(SubscriptionError) -> TopicMessage<[UInt8]>? {
        guard let message = try await receive() else { return nil }
        return TopicMessage(message: message, sequence: lastSequence ?? 0, missed: lastMissed)
    }
}
