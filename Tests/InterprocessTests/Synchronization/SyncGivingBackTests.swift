import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// A peer stands in an object's lock and does not go on, as one that was stopped there: the test enters the lock in its name.
    @Suite("giving back beside the lock") struct GivingBack {
        private let scene: SyncScene

        init() throws {
            scene = try SyncScene(.named)
        }

        /// Runs `body` in the lock of `monitor`, which is another peer's than the one that calls.
        private func inLock(_ monitor: Monitor, _ body: () throws -> Void) throws {
            var before: UInt32?
            try eventuallyBlocking("nobody else is in it") {
                before = monitor.enterFree()
                return before != nil
            }
            defer { if let before { monitor.leave(before) } }
            try body()
        }

        @Test("S2 L4 permits are given back while another peer is stopped in the lock, counted by the next, and got by who sleeps")
        func permits() throws {
            let watch = try HangWatch("permits beside the lock")
            defer { watch.end() }
            let mine = try scene.place.permits(), stopped = try scene.place.permits()
            for round in 1...3 {
                var permit: SharedPermits.Permit? = try mine.acquire(3)
                let sleeper = try scene.sleeper("permits")
                try inLock(stopped.monitor) {
                    permit = nil
                    #expect(mine.monitor.mine == 0, "round \(round)")
                    let line = try sleeper.takeLine()
                    #expect(line == nil)
                }
                try sleeper.says("got")
                try sleeper.send("over")
                try sleeper.ends()
                #expect(mine.available == 3)
                _ = consume permit
            }
            // Taken and given back in the lock again, on top of what was given back beside it.
            let permit = try mine.acquire(2)
            #expect(mine.available == 1 && stopped.available == 1)
            permit.release()
            #expect(mine.available == 3 && stopped.available == 3)
        }

        @Test("S2 L4 who is next gets permits given back by one that is stopped before it wakes")
        func stoppedBeforeWaking() throws {
            let watch = try HangWatch("permits of one that does not wake")
            defer { watch.end() }
            let mine = try scene.place.permits()
            let permit = try mine.acquire(3)
            let sleeper = try scene.sleeper("permits")
            try eventuallyBlocking("it is the next") { mine.monitor.words.next.loadAcquire() != 0 }
            try sleeper.becomesAsleep()
            try eventuallyBlocking("the lock is free") { mine.monitor.enterFree() != nil }
            mine.monitor.changeMine { _ in 0 }
            mine.monitor.words.taken.storeRelease(0)
            mine.monitor.change()
            mine.monitor.lock.letGo()
            try sleeper.says("got")
            _ = consume permit
        }

        @Test("S5 L4 a read and a write lock are let go while another peer is stopped in the inner lock", arguments: [false, true])
        func readWriteLock(isWriting: Bool) throws {
            let watch = try HangWatch("a lock let go beside the lock, \(isWriting)")
            defer { watch.end() }
            let options = SynchronizationOptions(directory: scene.directory.objects, maximumPeers: 8)
            let mine = try SharedReadWriteLock<SyncPair>(named: "lock", initial: [0, 0], options: options)
            let stopped = try SharedReadWriteLock<SyncPair>(named: "lock", initial: [0, 0], options: options)
            for round in 1...3 {
                try mine.acquire(forWriting: isWriting)
                let hasIt = Flag()
                try startServiceThread(named: "writer") {
                    if (try? stopped.withWriteLock(until: .after(watchdog)) { $0[0] += 1 }) != nil { hasIt.raise() }
                }
                try eventuallyBlocking("the writer sleeps") { stopped.core.monitor.words.changes.loadAcquire() & ClaimWord.marked != 0 }
                try inLock(stopped.core.monitor) {
                    mine.relinquish(forWriting: isWriting)
                    #expect(!hasIt.isRaised)
                }
                try eventuallyBlocking("the writer has it") { hasIt.isRaised }
                #expect(try mine.withReadLock { $0[0] } == round)
            }
        }

        @Test("S6 L4 a party leaves a barrier while another peer is stopped in its lock: the others wait for it no more") func barrier()
            throws
        {
            let watch = try HangWatch("a party that leaves beside the lock")
            defer { watch.end() }
            let first = try scene.place.barrier(), second = try scene.place.barrier()
            var third: SharedBarrier? = try scene.place.barrier()
            let ends = Lock(0)
            func come(_ party: SharedBarrier) throws {
                try startServiceThread(named: "party") {
                    if (try? party.wait(until: .after(watchdog))) != nil { ends.withLock { $0 += 1 } }
                }
            }
            try come(first)
            try come(second)
            try third?.wait()
            try eventuallyBlocking("all have come") { ends.withLock { $0 } == 2 }
            try come(first)
            try come(second)
            try eventuallyBlocking("two wait") { first.monitor.words.changes.loadAcquire() & ClaimWord.marked != 0 }
            try inLock(first.monitor) { third = nil }
            try eventuallyBlocking("two are enough") { ends.withLock { $0 } == 4 }
            #expect(first.members == 2 && first.phase == 2)
            _ = consume third
        }
    }
}
