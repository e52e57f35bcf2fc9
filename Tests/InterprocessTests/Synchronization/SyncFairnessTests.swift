import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    @Suite("fairness") struct Fairness {
        /// Two processes take something and give it back without a pause; this one must get it all the same, again and again.
        @Test(
            "S1–S5 nobody starves: a third gets it while two take it again and again", arguments: SyncPlace.Kind.allCases,
            ["mutex", "semaphore", "permits", "read", "write"])
        func greed(kind: SyncPlace.Kind, what: String) throws {
            let scene = try SyncScene(kind)
            let watch = try HangWatch("greed for \(what), \(kind)", limit: watchdog)
            defer { watch.end() }
            let rounds = try Segment.create("rounds", size: 64, in: scene.directory.objects)
            let counter = unsafe rounds.withBytes { unsafe SharedUInt32(at: $0.baseAddress!) }
            let mutex = try scene.place.mutex(.park), lock = try scene.place.readWriteLock(.park), permits = try scene.place.permits(.park)
            let semaphore = try scene.place.semaphore(.park)
            try semaphore.signal()
            let greedy = try (0..<2).map { _ in try scene.start("sync-greedy", what) }
            for process in greedy { try process.says("ready") }
            try eventuallyBlocking("both are at it") { counter.loadAcquire() > 100 }
            let before = counter.loadAcquire()
            var most: UInt32 = 0
            var times: UInt32 = 0
            // So often, and for as long as the two need to have had it often.
            while times < 100 || counter.loadAcquire() &- before < 1000 {
                times += 1
                watch.step("time \(times)")
                let start = counter.loadAcquire()
                switch what {
                case "mutex": try mutex.withLock { _ in }
                case "semaphore":
                    try semaphore.wait()
                    try semaphore.signal()
                // All of them, which the two never leave free together.
                case "permits": try permits.acquire(SyncPlace.permitUnits).release()
                default: try lock.withWriteLock { _ in }
                }
                most = max(most, counter.loadAcquire() &- start)
            }
            print("greed for \(what), \(kind): overtaken \((counter.loadAcquire() &- before) / times) times on average, \(most) at most")
        }

        @Test(
            "S3 S5 an heir that is killed or stopped: killed, the others go on; stopped, they reach their deadline and go on with it",
            arguments: SyncPlace.Kind.allCases)
        func heir(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let mutex = try scene.place.mutex()
            let holder = try scene.holder("mutex")
            let heir = try scene.sleeper("mutex")
            // A death makes all look again; by then it has waited for more than a millisecond.
            func makeHeir() throws {
                let passing = try scene.sleeper("mutex")
                sleepThread(for: .milliseconds(2))
                passing.kill()
                try eventuallyBlocking("one has become the heir") { !ClaimWord.isFree(mutex.object.words.heir.loadAcquire()) }
            }
            try makeHeir()
            try heir.stop()
            try holder.send("go")
            try holder.says("let go")
            // Free, but for the heir, which was woken.
            #expect(syncOutcome { try mutex.withLock(until: .after(.milliseconds(20))) { _ in "got" } } == "deadline")
            heir.signal(Signal.continue)
            try heir.says("got")
            #expect(syncOutcome { try mutex.withLock(until: patiently) { _ in "got" } } == "got")
            // And killed.
            let second = try scene.holder("mutex")
            let victim = try scene.sleeper("mutex")
            try makeHeir()
            try victim.stop()
            try second.send("go")
            try second.says("let go")
            let other = try scene.start("sync-wait", "mutex")
            try other.says("waiting")
            victim.kill()
            try other.says("got")
        }
    }
}
