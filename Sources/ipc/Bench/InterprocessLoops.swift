import CBenchmarkPeers
import Interprocess
import SystemPackage

/// The two sides of the library's cases. The same steps as in `channels.c` and `signals.c`, so that the difference is the library.
enum InterprocessLoops {
    /// Opens one queue of the measurement for sending. Capacities are those that give the same footprint as the C rings beside it.
    static func sender<M: BenchmarkMessage>(
        _ side: BenchmarkSide, _ type: M.Type, _ name: String, _ strategy: WaitStrategy = .adaptive
    ) throws -> Sender<M> {
        let name = try own(side, name)
        return try Sender<M>(to: name, capacity: side.capacity / (MemoryLayout<M>.stride + 8), strategy: strategy)
    }

    static func receiver<M: BenchmarkMessage>(
        _ side: BenchmarkSide, _ type: M.Type, _ name: String, _ strategy: WaitStrategy = .adaptive
    ) throws -> Receiver<M> {
        let name = try own(side, name)
        return try Receiver<M>(from: name, capacity: side.capacity / (MemoryLayout<M>.stride + 8), strategy: strategy)
    }

    static func own(_ side: BenchmarkSide, _ suffix: String) throws -> ObjectName {
        let name = side.objectName(suffix)
        if side.isNear { side.own(ObjectDirectory.user.path.appending(name)) }
        return try ObjectName(name)
    }

    static func check(_ found: UInt64?, _ expected: UInt64) throws {
        if found != expected { throw BenchmarkError("a message is not the one that was sent") }
    }

    @inlinable @inline(__always)
    static func use<M: BenchmarkMessage>(_ message: inout M) { unsafe withUnsafeMutablePointer(to: &message) { unsafe bench_use($0) } }

    // MARK: Round trip and switch

    @inline(never)
    static func ping<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var there = try sender(side, type, "there")
        var back = try receiver(side, type, "back")
        var message = M(number: 0)
        side.start()
        var before = bench_ticks()
        for number in 0..<UInt64(side.count) {
            message.number = number
            use(&message)
            try there.send(message)
            guard var answer = try back.receive() else { throw BenchmarkError("the other side has closed") }
            use(&answer)
            try check(answer.number, number)
            let now = bench_ticks()
            side.record(now &- before)
            before = now
        }
        side.stop()
    }

    @inline(never)
    static func pong<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var there = try receiver(side, type, "there")
        var back = try sender(side, type, "back")
        side.start()
        for number in 0..<UInt64(side.count) {
            guard var message = try there.receive() else { throw BenchmarkError("the other side has closed") }
            use(&message)
            try check(message.number, number)
            try back.send(message)
        }
        side.stop()
    }

    // MARK: Streams of small messages

    @inline(never)
    static func send<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var sender = try sender(side, type, "queue")
        var message = M(number: 0)
        side.start()
        for number in 0..<UInt64(side.count) {
            message.number = number
            use(&message)
            try sender.send(message)
        }
        side.stop()
    }

    @inline(never)
    static func receive<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var receiver = try receiver(side, type, "queue")
        let perSample = bench_messages_per_sample(UInt64(side.size))
        side.start()
        var before = bench_ticks()
        var chunk: UInt64 = 0
        for number in 0..<UInt64(side.count) {
            guard var message = try receiver.receive() else { throw BenchmarkError("the other side has closed") }
            use(&message)
            try check(message.number, number)
            chunk += 1
            if chunk == perSample {
                let now = bench_ticks()
                side.record(now &- before)
                (before, chunk) = (now, 0)
            }
        }
        side.stop()
    }

    @inline(never)
    static func sendBatches<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var sender = try sender(side, type, "queue")
        let most = Int(bench_batch(UInt64(MemoryLayout<M>.stride)))
        var batch = [M](repeating: M(number: 0), count: most)
        side.start()
        var sent = 0
        while sent < side.count {
            let count = min(most, side.count - sent)
            var messages = batch.mutableSpan
            for index in 0..<count { messages[index].number = UInt64(sent + index) }
            use(&messages[0])
            try sender.send(contentsOf: batch.span.extracting(first: count))
            sent += count
        }
        side.stop()
    }

    @inline(never)
    static func receiveBatches<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var receiver = try receiver(side, type, "queue")
        let perSample = bench_messages_per_sample(UInt64(side.size))
        side.start()
        var before = bench_ticks()
        var received: UInt64 = 0
        var chunk: UInt64 = 0
        while received < UInt64(side.count) {
            let batch = try receiver.receiveBatch { messages throws(BenchmarkError) in
                for index in messages.indices {
                    var message = messages[index]
                    use(&message)
                    if message.number != received &+ UInt64(index) { throw BenchmarkError("a message is not the one that was sent") }
                }
                return UInt64(messages.count)
            }
            guard let count = try batch?.get() else { throw BenchmarkError("the other side has closed") }
            received += count
            chunk += count
            if chunk >= perSample {
                let now = bench_ticks()
                side.record((now &- before) * perSample / chunk)
                (before, chunk) = (now, 0)
            }
        }
        side.stop()
    }

    // MARK: Large messages

    /// Messages that go once round the ring before the measurement, so that every page has been touched; the C rings enter theirs when they map them.
    private static func warmUp(_ side: BenchmarkSide) -> Int { side.capacity / side.size + 2 }

    @inline(never)
    static func sendLarge(_ side: BenchmarkSide) throws {
        var sender = try ByteSender(to: try own(side, "queue"), capacity: side.capacity)
        var source = [UInt64](repeating: 1, count: side.size / 8)
        for number in 0..<UInt64(warmUp(side) + side.count) {
            if number == warmUp(side) { side.start() }
            source[0] = number
            _ = unsafe try sender.send(source.span.bytes)
        }
        side.stop()
    }

    @inline(never)
    static func sendLargeInPlace(_ side: BenchmarkSide, isTouched: Bool = true) throws {
        var sender = try ByteSender(to: try own(side, "queue"), capacity: side.capacity)
        for number in 0..<UInt64(warmUp(side) + side.count) {
            if number == warmUp(side) { side.start() }
            _ = try sender.publish(byteCount: side.size) { message in
                unsafe message.withUnsafeMutableBytes { unsafe bench_fill($0.baseAddress, isTouched ? UInt64($0.count) : 8, number) }
            }
        }
        side.stop()
    }

    @inline(never)
    static func receiveLarge(_ side: BenchmarkSide, isTouched: Bool = true) throws {
        var receiver = try ByteReceiver(from: try own(side, "queue"), capacity: side.capacity)
        var before: UInt64 = 0
        for number in 0..<UInt64(warmUp(side) + side.count) {
            if number == warmUp(side) {
                side.start()
                before = bench_ticks()
            }
            let first = try receiver.receive { message in
                unsafe message.withUnsafeBytes { bytes in
                    var sum = unsafe bench_sum(bytes.baseAddress, isTouched ? UInt64(bytes.count) : 8)
                    use(&sum)
                    return unsafe bytes.loadUnaligned(as: UInt64.self)
                }
            }
            try check(first?.get(), number)
            guard number >= warmUp(side) else { continue }
            let now = bench_ticks()
            side.record(now &- before)
            before = now
        }
        side.stop()
    }
}
