import Glibc
import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// What else can become of a process or a thread that holds something: fork, stop, a thread's end, signals, another pid namespace.
    @Suite("forks, threads, stops, signals") struct Processes {
        static let held = ["mutex", "write", "read", "permits", "barrier", "once"]

        /// What cannot be had while another has `what`.
        private func attempt(_ what: String, _ scene: SyncScene) throws -> String {
            let deadline = Deadline.after(.milliseconds(20))
            return syncOutcome {
                switch what {
                case "mutex": return try scene.place.mutex().withLock(until: deadline) { _ in "got" }
                case "write", "read": return try scene.place.readWriteLock().withWriteLock(until: deadline) { _ in "got" }
                case "permits":
                    try scene.place.permits().acquire(2, until: deadline).release()
                    return "got"
                case "once": return try scene.place.once().run(until: deadline) { (_: DeathNotice?) in } ? "did" : "done"
                case "barrier": return try scene.place.barrier().wait(until: deadline) ? "last" : "together"
                default: throw TestFailure("no attempt at \(what)")
                }
            }
        }

        private func scene(_ kind: SyncPlace.Kind) throws -> (SyncScene, [Segment]) {
            let scene = try SyncScene(kind)
            let place = scene.place
            return (
                scene,
                [
                    try place.mutex().segment, try place.readWriteLock().segment, try place.permits().segment, try place.once().segment,
                ]
            )
        }

        @Test(
            "S1–S8 L1 a child forked while its parent holds something is detached, and takes nothing away when it ends",
            arguments: SyncPlace.Kind.allCases, held + ["latch", "event", "condition"])
        func forks(kind: SyncPlace.Kind, what: String) throws {
            let (scene, segments) = try scene(kind)
            let holder = try scene.holder(what)
            try holder.send("fork")
            try holder.says("child detached")
            try holder.says("forked")
            if Self.held.contains(what) { #expect(try attempt(what, scene) == "deadline", "the parent has it as before") }
            #expect(segments.allSatisfy { $0.deathCount == 0 })
            try holder.send("go")
            try holder.says("let go")
            if what != "barrier", Self.held.contains(what) { #expect(["got", "done"].contains(try attempt(what, scene))) }
        }

        @Test(
            "S1–S8 a thread that ends while it has something keeps it until its process ends: deadlines let the others go, then they are told",
            arguments: SyncPlace.Kind.allCases, held)
        func threads(kind: SyncPlace.Kind, what: String) throws {
            let (scene, segments) = try scene(kind)
            let holder = try scene.holder(what, ["thread"])
            for _ in 0..<2 { #expect(try attempt(what, scene) == "deadline") }
            #expect(segments.allSatisfy { $0.deathCount == 0 })
            let pid = holder.pid
            holder.kill()
            try holder.ends()
            let expected = ["mutex": "inconsistent \(pid)", "write": "inconsistent \(pid)", "once": "did", "read": "got", "permits": "got"]
            if let ending = expected[what] {
                // The death may not be announced yet.
                var found = ""
                try eventuallyBlocking("the others go on") {
                    found = try attempt(what, scene)
                    return found != "deadline"
                }
                #expect(found == ending)
            }
        }

        @Test(
            "S1–S8 L4 a stopped holder is not dead: others reach their deadline, and go on when it does",
            arguments: SyncPlace.Kind.allCases, held)
        func stopped(kind: SyncPlace.Kind, what: String) throws {
            let (scene, segments) = try scene(kind)
            let holder = try scene.holder(what)
            let sleeper = try scene.sleeper(what == "read" ? "write" : what)
            try holder.stop()
            #expect(try attempt(what, scene) == "deadline")
            #expect(try sleeper.takeLine() == nil)
            #expect(segments.allSatisfy { $0.deathCount == 0 && $0.peers.allSatisfy(\.isAlive) })
            holder.signal(Signal.continue)
            try holder.send("go")
            try holder.says("let go")
            if what != "barrier" { #expect(["got", "done"].contains(try sleeper.next())) }
        }

        @Test(
            "S1–S8 H7 a signal every 200 µs ends no wait early, and loses nothing", arguments: SyncPlace.Kind.allCases,
            ["mutex", "write", "permits", "semaphore", "condition", "event-automatic"])
        func signals(kind: SyncPlace.Kind, what: String) throws {
            let scene = try SyncScene(kind)
            let rounds = 300
            let mutex = try scene.place.mutex(), lock = try scene.place.readWriteLock(), permits = try scene.place.permits()
            let semaphore = try scene.place.semaphore(), event = try scene.place.event(.automatic), condition = try scene.place.condition()
            let waiter = try scene.start("sync-signals", what, ["\(rounds)"])
            try waiter.says("ready")
            /// While `body` runs the waiter cannot have it.
            func first(_ body: () throws -> Void) throws {
                try body()
            }
            let busy = { sleepThread(for: .microseconds(100)) }
            func early() throws {
                try waiter.send("go")
                try waiter.says("in time")
            }
            switch what {
            case "mutex": try mutex.withLock { _ in try early() }
            case "write": try lock.withReadLock { _ in try early() }
            case "permits":
                let permit = try permits.acquire(2)
                try early()
                permit.release()
            default: try early()
            }
            var line: String?
            try eventuallyBlocking("the waiter has had all") {
                line = try waiter.takeLine()
                if line != nil { return true }
                switch what {
                case "mutex": try mutex.withLock { _ in busy() }
                case "write": try lock.withReadLock { _ in busy() }
                case "permits":
                    let permit = try permits.acquire(3)
                    busy()
                    permit.release()
                case "semaphore": if semaphore.value == 0 { try semaphore.signal() }
                case "event-automatic": try event.set()
                default:
                    try mutex.withLock { pair in
                        pair[0] += 1
                        pair[1] += 1
                    }
                    try condition.notifyOne()
                }
                return false
            }
            #expect(line == "got \(rounds)")
        }

        @Test(
            "S1–S8 L1 L2 holders and sleepers of other pid namespaces: told by the pid that the dead had in its own",
            .enabled(if: Privilege.canUnshare(["--pid", "--fork"]), "needs a pid namespace"), arguments: SyncPlace.Kind.allCases)
        func namespaces(kind: SyncPlace.Kind) throws {
            let (scene, _) = try scene(kind)
            let wrapper = ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"]
            let mutex = try scene.place.mutex(), permits = try scene.place.permits()
            let holder = try scene.holder("mutex", wrapper: wrapper)
            // The first process of each namespace has the same number there.
            let sleeper = try scene.sleeper("mutex", wrapper: wrapper)
            let user = try scene.holder("permits", wrapper: wrapper)
            #expect(syncOutcome { try mutex.withLock(until: .after(.milliseconds(20))) { _ in "got" } } == "deadline")
            #expect(permits.available == 1)
            // By way of the program that made the namespace: the first process of one cannot kill itself.
            holder.kill()
            try sleeper.says("inconsistent 1")
            _ = try mutex.repair { pair, notice in
                #expect(notice.pid == 1)
                pair[1] = pair[0]
            }
            try sleeper.send("again")
            try sleeper.says("waiting")
            try sleeper.says("got")
            try user.send("exit")
            try permits.acquire(3, until: patiently).release()
        }
    }
}
