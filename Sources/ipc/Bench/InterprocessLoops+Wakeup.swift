import Interprocess

/// A parked receiver is woken, again and again.
extension InterprocessLoops {
    @inline(never)
    static func wake(_ side: BenchmarkSide) throws {
        var sender = try sender(side, UInt64.self, "queue")
        side.start()
        for number in 0..<UInt64(side.count) {
            side.awaitSleeper()
            try sender.send(number)
            side.endWakeup()
        }
        side.stop()
    }

    @inline(never)
    static func sleep(_ side: BenchmarkSide) throws {
        var receiver = try receiver(side, UInt64.self, "queue", .park)
        side.start()
        for number in 0..<UInt64(side.count) {
            side.announceSleep()
            let found = try receiver.receive()
            side.recordWakeup()
            try check(found, number)
        }
        side.stop()
    }

    /// On the executor's own thread: where a task that waits a lot belongs.
    static func sleepAsynchronously(_ side: BenchmarkSide) async throws {
        try await Task(executorPreference: InterprocessExecutor.shared) {
            var receiver = try receiver(side, UInt64.self, "queue")
            side.start()
            for number in 0..<UInt64(side.count) {
                side.announceSleep()
                let found = try await receiver.receive()
                side.recordWakeup()
                try check(found, number)
            }
            side.stop()
        }.value
    }
}
