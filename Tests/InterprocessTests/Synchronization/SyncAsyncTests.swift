import InterprocessSystem
import QueueTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// What suspends: cancellation, deadlines, and no thread that waits.
    @Suite("asynchronous forms") struct Asynchronous {
        static let wanted = [
            "mutex", "condition", "read", "write", "permits", "semaphore", "barrier", "latch", "event", "event-automatic", "once",
        ]

        /// One call of the asynchronous form.
        private static func call(_ what: String, _ place: SyncPlace, _ barrier: SharedBarrier?, _ deadline: Deadline) async -> String {
            do {
                switch what {
                case "mutex": try await place.mutex().withLock(until: deadline) { _ in }
                case "condition":
                    try await place.mutex().withLock(when: { $0[0] > 0 }, on: place.condition(), until: deadline) { $0[0] -= 1 }
                case "read": try await place.readWriteLock().withReadLock(until: deadline) { _ in }
                case "write": try await place.readWriteLock().withWriteLock(until: deadline) { _ in }
                case "permits":
                    let permit = try await place.permits().acquire(2, until: deadline)
                    permit.release()
                case "semaphore": try await place.semaphore().wait(until: deadline)
                case "barrier": try await barrier?.wait(until: deadline)
                case "latch": try await place.latch().wait(until: deadline)
                case "event": try await place.event().wait(until: deadline)
                case "event-automatic": try await place.event(.automatic).wait(until: deadline)
                case "once": try await place.once().run(until: deadline) { (_: DeathNotice?) in }
                default: return "nothing"
                }
                return "got"
            } catch {
                return syncOutcome { throw error }
            }
        }

        /// Lets one call of it through.
        private static func give(_ what: String, _ scene: SyncScene, _ holder: PeerProcess?) throws {
            switch what {
            case "semaphore": try scene.place.semaphore().signal()
            case "latch": try scene.place.latch().countDown(by: SyncPlace.latchCount)
            case "event": try scene.place.event().set()
            case "event-automatic": try scene.place.event(.automatic).set()
            case "condition":
                try scene.place.mutex().withLock { $0[0] += 1 }
                try scene.place.condition().notifyOne()
            case "barrier": holder?.kill()
            case "once": try holder?.send("throw")
            default: try holder?.send("go")
            }
        }

        @Test(
            "S1–S8 a cancelled task gets out at once and leaves nothing behind; deadlines end a wait; others get what there is",
            arguments: SyncPlace.Kind.allCases, wanted)
        func cancellation(kind: SyncPlace.Kind, what: String) async throws {
            let scene = try blocking { try SyncScene(kind) }
            let place = scene.place
            let kept =
                try [place.mutex(), place.condition(), place.semaphore(), place.latch(), place.event(), place.event(.automatic)]
                as [AnyObject]
            // Those that are had until somebody gives them back.
            let isHeld = ["mutex": "mutex", "read": "write", "write": "read", "permits": "permits", "once": "once", "barrier": "barrier"][
                what]
            let holder = try blocking { try isHeld.map { try scene.holder($0) } }
            let barriers =
                what == "barrier" ? [try place.barrier(), try SyncPlace(kind, in: scene.directory.objects).barrier()] : [nil, nil]
            #expect(await Self.call(what, place, barriers[0], .now) == "deadline")
            #expect(await Self.call(what, place, barriers[0], .after(.milliseconds(3))) == "deadline")
            for round in 0..<6 {
                let task = Task { await Self.call(what, place, barriers[0], .never) }
                if round % 2 == 0 { try await Task.sleep(for: .milliseconds(3)) }
                task.cancel()
                #expect(await task.value == "cancelled")
            }
            // One that is cancelled and one that is not, at the same time: what there is goes to the one that is left.
            let cancelled = Task { await Self.call(what, place, barriers[0], .never) }
            let staying = Task { await Self.call(what, place, barriers[1], .never) }
            try await Task.sleep(for: .milliseconds(4))
            // In the one order, then in the other.
            if kind == .named { cancelled.cancel() }
            try blocking { try Self.give(what, scene, holder) }
            cancelled.cancel()
            let first = await cancelled.value
            if what == "barrier" {
                // The third party has died; the two are left.
                let dead = "peerDied \(holder?.pid ?? 0)"
                #expect(await staying.value == dead)
                #expect(first == dead || first == "cancelled")
                async let other = Self.call(what, place, barriers[1], patiently)
                var ending = await Self.call(what, place, barriers[0], patiently)
                if first == "cancelled" {
                    #expect(ending == dead)
                    ending = await Self.call(what, place, barriers[0], patiently)
                }
                #expect(ending == "got")
                #expect(await other == "got")
            } else {
                // It may have been through before it was cancelled; then, of what only one gets, there is none left.
                if first == "got", ["semaphore", "event-automatic", "condition"].contains(what) { try Self.give(what, scene, nil) }
                #expect(await staying.value == "got")
            }
            withExtendedLifetime(kept) {}
        }

        @Test("S1–S8 a hundred suspended calls hold up no thread", arguments: ["semaphore", "event", "permits"])
        func threads(what: String) async throws {
            let scene = try blocking { try SyncScene(.named) }
            let place = scene.place
            let kept = try (place.semaphore(), place.event(), place.permits())
            let all = try blocking { try kept.2.acquire(SyncPlace.permitUnits) }
            let running = Atomic<Int>(0)
            let counter = Counter(running)
            // More than the pool has threads: were one blocked by each, the last would not begin.
            let tasks = (0..<100).map { _ in
                Task {
                    counter.value.add(1, ordering: .relaxed)
                    switch what {
                    case "semaphore": try await kept.0.wait()
                    case "event": try await kept.1.wait()
                    default:
                        let permit = try await kept.2.acquire()
                        permit.release()
                    }
                }
            }
            try await eventually("all have begun") { counter.value.load(ordering: .relaxed) == 100 }
            try blocking {
                try kept.0.signal(100)
                try kept.1.set()
            }
            all.release()
            for task in tasks { try await task.value }
        }

        private final class Counter: Sendable {
            let value: Atomic<Int>
            init(_ value: consuming Atomic<Int>) { self.value = value }
        }
    }
}
