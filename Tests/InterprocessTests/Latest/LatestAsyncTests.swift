import QueueTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

extension LatestSuite {
    @Suite("changes") struct Changes {
        private let directory: TemporaryDirectory
        init() throws { directory = try TemporaryDirectory() }

        private func open() throws -> LatestValue<Int> {
            try LatestValue(named: "v", initial: 0, options: SynchronizationOptions(directory: directory.objects))
        }

        @Test("C7 P1 changes() brings the newest each time, says how many were missed, and ends with its task")
        func changes() async throws {
            let latest = try open()
            let seen = Mutex<[LatestValue<Int>.Change]>([])
            let log = Log(seen)
            let task = Task {
                for try await change in latest.changes() { log.changes.withLock { $0.append(change) } }
                return "ended"
            }
            try await eventually("the value that is there") { log.all.count == 1 }
            #expect(log.all[0].value == 0 && log.all[0].sequence == 0 && log.all[0].missed == 0)
            try await latest.store(1)
            try await eventually("the first change") { log.all.count == 2 }
            for number in 2...500 { try await latest.store(number) }
            try await eventually("the last one") { log.all.last?.value == 500 }
            var last: UInt64 = 0
            for change in log.all.dropFirst() {
                #expect(change.value == Int(change.sequence) && change.sequence - last == change.missed + 1)
                last = change.sequence
            }
            task.cancel()
            #expect(try await task.value == "ended")
            // One that begins later than the values: told of what was between.
            var iterator = latest.changes(after: 100).makeAsyncIterator()
            let change = try #require(try await iterator.next())
            #expect(change.sequence == 500 && change.missed == 399)
        }

        @Test("C7 P1 a cancelled wait, or one whose deadline passes, ends at once, and the others go on")
        func cancellation() async throws {
            let latest = try open()
            #expect(await outcome { try await latest.wait(after: 0, until: .now) } == .deadline)
            #expect(await outcome { try await latest.next(after: 0, until: .after(.milliseconds(3))).sequence } == .deadline)
            for round in 0..<6 {
                let cancelled = Task { await outcome { try await latest.wait(after: UInt64(round)) } }
                let staying = Task { try await latest.next(after: UInt64(round)).value }
                if round % 2 == 0 { try await Task.sleep(for: .milliseconds(3)) }
                cancelled.cancel()
                #expect(await cancelled.value == .cancelled)
                try await latest.store(round)
                #expect(try await staying.value == round)
            }
            // A cancelled one takes nothing that is there already.
            let ended = Task {
                try? await Task.sleep(for: .seconds(100))
                var iterator = latest.changes().makeAsyncIterator()
                return try await iterator.next() == nil
            }
            ended.cancel()
            #expect(try await ended.value)
        }

        @Test("C7 P1 storing waits for another writer in a task as well, and is cancelled")
        func storing() async throws {
            let scene = try LatestScene(.named, directory)
            let latest = try scene.pairs()
            let holder = try scene.holder()
            let cancelled = Task { await outcome { try await latest.store([7, 7]) } }
            try await Task.sleep(for: .milliseconds(3))
            cancelled.cancel()
            #expect(await cancelled.value == .cancelled)
            #expect(await outcome { try await latest.update(until: .after(.milliseconds(3))) { $0 = [7, 7] } } == .deadline)
            let staying = Task { try await latest.update { $0[0] += 10 } }
            try holder.send("go")
            try await staying.value
            #expect(try latest.load()[0] == 11 && latest.load()[1] == 1)
        }

        @Test("C7 P1 a hundred suspended readers hold up no thread")
        func threads() async throws {
            let latest = try open()
            let running = Log(Mutex([]))
            let tasks = (0..<100).map { number in
                Task {
                    running.changes.withLock { $0.append(LatestValue<Int>.Change(value: number, sequence: 0, missed: 0)) }
                    return try await latest.next(after: 0).value
                }
            }
            try await eventually("all have begun") { running.all.count == 100 }
            try await latest.store(3)
            for task in tasks { #expect(try await task.value == 3) }
        }

        private final class Log: Sendable {
            let changes: Mutex<[LatestValue<Int>.Change]>
            init(_ changes: consuming Mutex<[LatestValue<Int>.Change]>) { self.changes = changes }
            var all: [LatestValue<Int>.Change] { changes.withLock { $0 } }
        }
    }
}

/// The error of `body`.
private func outcome<R>(_ body: () async throws -> R) async -> WaitError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? WaitError
    }
}
