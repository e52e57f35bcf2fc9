import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// Who has something ends: SIGKILL, exit, exec. What the documentation promises to the others.
    @Suite("who holds dies") struct Holders {
        static let causes = ["kill", "exit", "exec"]

        @Test(
            "S3 L3 a mutex whose holder ends is inconsistent to all who sleep and who come later, names the dead, and is repaired once",
            arguments: SyncPlace.Kind.allCases, causes)
        func mutex(kind: SyncPlace.Kind, cause: String) throws { try lock(kind, cause, "mutex", "mutex", "mutex-repair") }

        @Test(
            "S5 L3 a lock whose writer ends is inconsistent to all who sleep and who come later, names the dead, and is repaired once",
            arguments: SyncPlace.Kind.allCases, causes)
        func writer(kind: SyncPlace.Kind, cause: String) throws { try lock(kind, cause, "write", "read", "write-repair") }

        private func lock(_ kind: SyncPlace.Kind, _ cause: String, _ held: String, _ wanted: String, _ repair: String) throws {
            let scene = try SyncScene(kind)
            let mutex = try scene.place.mutex()
            let rw = try scene.place.readWriteLock()
            let isMutex = held == "mutex"
            func pair() throws -> SyncPair {
                isMutex ? try mutex.withLock(until: patiently) { $0 } : try rw.withReadLock(until: patiently) { $0 }
            }
            let holder = try scene.holder(held)
            let sleepers = try scene.sleepers(2, wanted)
            try holder.send(cause)
            for sleeper in sleepers { try sleeper.says("inconsistent \(holder.pid)") }
            // Who comes later, and with the forms that do not wait.
            #expect(
                syncOutcome {
                    _ = try pair(); return "got"
                } == "inconsistent \(holder.pid)")
            let attempt = syncOutcome {
                let result: Void? = isMutex ? try mutex.withLockIfAvailable { _ in } : try rw.withWriteLockIfAvailable { _ in }
                return result == nil ? "busy" : "got"
            }
            #expect(attempt == "inconsistent \(holder.pid)")
            #expect(!(isMutex ? mutex.isConsistent : rw.isConsistent))
            // A repairer that is killed leaves it so, by its own name now.
            let repairer = try scene.holder(repair)
            repairer.kill()
            #expect(
                syncOutcome {
                    _ = try pair(); return "got"
                } == "inconsistent \(repairer.pid)")
            // One whose repair throws leaves it, too.
            #expect(throws: TestFailure.self) {
                if isMutex {
                    try mutex.repair { _, _ in throw TestFailure("not now") }
                } else {
                    try rw.repair { _, _ in throw TestFailure("not now") }
                }
            }
            #expect(
                syncOutcome {
                    _ = try pair(); return "got"
                } == "inconsistent \(repairer.pid)")
            var told: DeathNotice?
            let body: (inout SyncPair, DeathNotice) -> Void = { pair, notice in
                told = notice
                #expect(pair[0] == 1 && pair[1] == 0, "the half that the dead did")
                pair[1] = 1
            }
            _ = isMutex ? try mutex.repair(body) : try rw.repair(body)
            #expect(told?.pid == repairer.pid && told?.held.contains(.lock) == true)
            let after = try pair()
            #expect(after[0] == 1 && after[1] == 1)
            #expect(try (isMutex ? mutex.repair { _, _ in 1 } : rw.repair { _, _ in 1 }) == nil, "nothing is left to repair")
            for sleeper in sleepers {
                try sleeper.send("again")
                try sleeper.says("waiting")
                try sleeper.says("got")
            }
        }

        @Test(
            "S5 L3 readers that end let a writer in, several at once, and the value stays consistent", arguments: SyncPlace.Kind.allCases,
            causes)
        func readers(kind: SyncPlace.Kind, cause: String) throws {
            let scene = try SyncScene(kind)
            let lock = try scene.place.readWriteLock()
            let readers = try (0..<3).map { _ in try scene.holder("read") }
            #expect(try lock.withWriteLockIfAvailable { _ in } == nil)
            let writer = try scene.sleeper("write")
            for reader in readers { try reader.send(cause) }
            try writer.says("got")
            #expect(lock.isConsistent)
            #expect(try lock.withWriteLock(until: patiently) { $0[0] } == 0)
        }

        @Test("S2 L3 permits of those who end come back, all of them, once", arguments: SyncPlace.Kind.allCases, causes)
        func permits(kind: SyncPlace.Kind, cause: String) throws {
            let scene = try SyncScene(kind)
            let permits = try scene.place.permits()
            let mine = try permits.acquire()
            for _ in 0..<3 {
                let holder = try scene.holder("permits")
                #expect(permits.available == 0)
                let sleepers = try scene.sleepers(2, "permits")
                try holder.send(cause)
                for sleeper in sleepers { try sleeper.says("got") }
                #expect(permits.available == 2)
            }
            mine.release()
            // Nobody waited: whoever asks next finds them.
            let late = try scene.holder("permits")
            try late.send(cause)
            let all = try permits.acquire(SyncPlace.permitUnits, until: patiently)
            #expect(permits.available == 0)
            all.release()
        }

        @Test("S8 L3 what is done once is done by another when who did it ends, who is told", arguments: SyncPlace.Kind.allCases, causes)
        func once(kind: SyncPlace.Kind, cause: String) throws {
            let scene = try SyncScene(kind)
            let once = try scene.place.once()
            let holder = try scene.holder("once")
            let sleepers = try scene.sleepers(3, "once")
            #expect(
                syncOutcome {
                    try once.run(until: .after(.milliseconds(5))) {}; return "done"
                } == "deadline")
            try holder.send(cause)
            let told = try sleepers.map { try $0.next() }
            #expect(told.sorted() == ["did after \(holder.pid)", "done", "done"])
            #expect(once.isDone)
        }

        @Test("S3 S5 S8 L3 deaths before anybody waits: the next one is told", arguments: SyncPlace.Kind.allCases)
        func early(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            // Kept open, so that the objects stay: in each case a survivor has repaired before anybody asks.
            let mutex = try scene.place.mutex(), lock = try scene.place.readWriteLock(), once = try scene.place.once()
            for (what, segment, next) in [
                ("mutex", mutex.segment, "mutex"), ("write", lock.segment, "write"), ("once", once.segment, "once"),
            ] {
                let before = segment.deathCount
                let holder = try scene.holder(what)
                holder.kill()
                try eventuallyBlocking("the death is announced") { segment.deathCount == before + 1 }
                let late = try scene.start("sync-wait", next)
                try late.says("waiting")
                try late.says(what == "once" ? "did after \(holder.pid)" : "inconsistent \(holder.pid)")
            }
        }

        @Test("L3 L4 the notice of a death says what was held")
        func notices() async throws {
            let scene = try blocking { try SyncScene(.named) }
            let mutex = try scene.place.mutex(), lock = try scene.place.readWriteLock(), permits = try scene.place.permits()
            let barrier = try scene.place.barrier(), once = try scene.place.once(), semaphore = try scene.place.semaphore()
            try semaphore.signal()
            let cases: [(String, Segment, DeathNotice.Claims)] = [
                ("mutex", mutex.segment, .lock), ("write", lock.segment, .lock), ("permits", permits.segment, .permits),
                ("barrier", barrier.segment, .party), ("once", once.segment, .lock), ("semaphore", semaphore.segment, []),
            ]
            for (what, segment, held) in cases {
                let deaths = DeathLog(segment)
                let holder = try blocking { try scene.holder(what) }
                holder.kill()
                let notice = try await deaths.next()
                #expect(notice.pid == holder.pid && notice.held == held, "\(what): \(notice)")
            }
            let readers = DeathLog(lock.segment)
            try blocking { _ = try lock.repair { pair, _ in pair[1] = pair[0] } }
            let reader = try blocking { try scene.holder("read") }
            reader.kill()
            #expect(try await readers.next().held == .lock)
        }
    }
}
