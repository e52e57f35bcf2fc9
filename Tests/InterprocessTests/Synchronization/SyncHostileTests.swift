import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    @Suite("hostile words") struct Hostile {
        /// All of an object's calls that have a deadline or do not wait. What they return does not matter, nor which of the errors they throw.
        private struct Calls {
            let all: [(String, () throws -> Void)]

            init(_ place: SyncPlace) throws {
                func soon() -> Deadline { .after(.milliseconds(2)) }
                let mutex = try place.mutex(), semaphore = try place.semaphore(), permits = try place.permits(),
                    condition = try place.condition()
                let lock = try place.readWriteLock(), barrier = try place.barrier(), latch = try place.latch(), once = try place.once()
                let manual = try place.event(), automatic = try place.event(.automatic)
                all = [
                    ("mutex", { try mutex.withLock(until: soon()) { $0[0] &+= 1 } }),
                    ("mutex try", { _ = try mutex.withLockIfAvailable { $0[0] &+= 1 } }),
                    ("mutex repair", { _ = try mutex.repair(until: soon()) { pair, _ in pair = [0, 0] } }),
                    ("semaphore", { try semaphore.wait(until: soon()) }), ("semaphore try", { _ = try semaphore.tryWait() }),
                    ("semaphore signal", { try semaphore.signal(3) }), ("permits", { try permits.acquire(2, until: soon()).release() }),
                    ("permits try", { _ = try permits.tryAcquire() }), ("permits available", { _ = permits.available }),
                    ("condition notify", { try condition.notifyOne() }), ("condition notify all", { try condition.notifyAll() }),
                    ("condition", { try mutex.withLock(when: { $0[0] > .max / 2 }, on: condition, until: soon()) { _ in } }),
                    ("read", { _ = try lock.withReadLock(until: soon()) { $0[0] } }),
                    ("read try", { _ = try lock.withReadLockIfAvailable { $0[0] } }),
                    ("write", { try lock.withWriteLock(until: soon()) { $0[0] &+= 1 } }),
                    ("write repair", { _ = try lock.repair(until: soon()) { pair, _ in pair = [0, 0] } }),
                    ("barrier", { try barrier.wait(until: soon()) }), ("barrier members", { _ = barrier.members }),
                    ("latch", { try latch.wait(until: soon()) }), ("latch count", { try latch.countDown() }),
                    ("once", { try once.run(until: soon()) { (_: DeathNotice?) in } }), ("event set", { try manual.set() }),
                    ("event reset", { try manual.reset() }), ("event", { try manual.wait(until: soon()) }),
                    ("event try", { _ = try manual.tryWait() }),
                    ("automatic set", { try automatic.set() }), ("automatic", { try automatic.wait(until: soon()) }),
                    ("open again", { _ = try place.mutex() }), ("open permits", { _ = try place.permits() }),
                ]
            }
        }

        @Test("S1–S8 N8 random words over all objects while they are used: no crash, no hang, and typed errors only")
        func scribbling() throws {
            let scene = try SyncScene(.placed)
            let calls = try Calls(scene.place)
            let watch = try HangWatch("scribbling")
            defer { watch.end() }
            try callWhileScribbled("synchronization objects", calls.all, eachRound: 150, watch: watch) {
                try scene.start("sync-scribble", "\($0)")
            }
        }
    }
}
