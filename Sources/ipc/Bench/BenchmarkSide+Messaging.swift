import CBenchmarkPeers

/// The loops of messaging cases in Swift: the same as those of `messages.c`, around the calls that a case gives.
///
/// A message's first word says who sent it and its number there. From 4 KiB on, who receives a message looks at every word of it
/// (``look(at:)``), and a few go before the measurement, so that no memory is touched in it for the first time.
extension BenchmarkSide {
    private static let senderShift: UInt64 = 48
    private var warmUp: Int { size >= Int(BENCH_LOOKED_AT) ? 4 : 0 }
    private var warmRequests: Int { 2 }

    /// The far side of n:1, n:m and a topic: sends this process's share of ``count``.
    ///
    /// - Parameter send: sends a message with this first word; waits for room.
    @inline(__always)
    func measureSending<E: Error>(send: (UInt64) throws(E) -> Void) throws(E) {
        let mine = count / farCount + (member < count % farCount ? 1 : 0)
        let tag = UInt64(member) << Self.senderShift
        for number in 0..<warmUp { try send(tag | UInt64(number)) }
        start()
        for number in warmUp..<warmUp + mine { try send(tag | UInt64(number)) }
        stop()
    }

    /// The near side of n:1 and of a topic: receives all messages of all senders; each sender's must come one after the other.
    ///
    /// - Parameter receive: waits for the next message; its first word.
    @inline(__always)
    func measureReceiving(receive: () throws -> UInt64) throws {
        var next = InlineArray<14, UInt64>(repeating: 0)
        let warm = farCount * warmUp
        for number in 0..<warm + count {
            if number == warm { start() }
            let word = try receive()
            let sender = Int(word >> Self.senderShift)
            guard sender < farCount, word & (1 << Self.senderShift - 1) == next[sender] else {
                throw BenchmarkError("a message is not the one that was sent")
            }
            next[sender] += 1
        }
        stop()
    }

    /// The near side of n:m: receives whatever comes, until all on the near side have received everything together.
    ///
    /// - Parameters:
    ///   - tryReceive: the first word of a message that is there.
    ///   - receiveBriefly: waits for about a millisecond.
    @inline(__always)
    func measureSharing(tryReceive: () throws -> UInt64?, receiveBriefly: () throws -> UInt64?) throws {
        let all = unsafe bench_map_received(pointer)!
        var next = InlineArray<14, UInt64>(repeating: 0)
        var received: UInt64 = 0
        var idleSince: UInt64 = 0
        start()
        while true {
            var word = try tryReceive()
            if word == nil {
                if idleSince == 0 { idleSince = bench_ticks() }
                word = try receiveBriefly()
            }
            guard let word else {
                if unsafe bench_received_by_all(pointer, all) >= UInt64(count) { break }
                continue
            }
            idleSince = 0
            let sender = Int(word >> Self.senderShift), number = word & (1 << Self.senderShift - 1)
            guard sender < farCount, number >= next[sender] else { throw BenchmarkError("a message came twice, or after a later one") }
            next[sender] = number + 1
            received += 1
            unsafe bench_set_received(&all[member], received)
        }
        stop()
        // Before the wait that brought nothing any more.
        unsafe bench_set_stopped(pointer, idleSince)
        guard unsafe bench_received_by_all(pointer, all) == UInt64(count) else { throw BenchmarkError("more messages came than were sent") }
    }

    /// The near side of request and reply.
    ///
    /// - Parameter ask: sends a request with this first word and waits for the reply; its first word.
    @inline(__always)
    func measureRequests(ask: (UInt64) throws -> UInt64) throws {
        var before: UInt64 = 0
        for number in 0..<UInt64(warmRequests + count) {
            if number == warmRequests {
                start()
                before = bench_ticks()
            }
            guard try ask(number) == ~number else { throw BenchmarkError("a reply is not the one to the request") }
            guard number >= warmRequests else { continue }
            let now = bench_ticks()
            record(now &- before)
            before = now
        }
        stop()
    }

    /// The far side of request and reply.
    ///
    /// - Parameter serve: waits for a request, and replies with a message whose first word is that of the request, negated; the request's.
    @inline(__always)
    func measureReplies(serve: () throws -> UInt64) throws {
        for number in 0..<UInt64(warmRequests + count) {
            if number == warmRequests { start() }
            guard try serve() == number else { throw BenchmarkError("a request is not the next one") }
        }
        stop()
    }

    /// What a receiver does with a message: its first word, having seen all others of a large one.
    @inline(__always)
    func look(at message: UnsafeRawBufferPointer) -> UInt64 {
        if message.count >= Int(BENCH_LOOKED_AT) {
            var sum = unsafe bench_sum(message.baseAddress, UInt64(message.count))
            unsafe withUnsafePointer(to: &sum) { unsafe bench_use($0) }
        }
        unsafe bench_use(message.baseAddress)
        return unsafe message.loadUnaligned(as: UInt64.self)
    }
}
