import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// Who sleeps, was just woken, or was about to wake somebody, is killed: no wake-up goes with it.
    @Suite("who waits or wakes dies") struct Sleepers {
        /// What a sleeper waits for that is not to be had, and how to let one through.
        private struct Supply {
            let hold: () throws -> Void
            let give: () throws -> Void
        }

        private func supply(_ what: String, _ scene: SyncScene) throws -> Supply {
            switch what {
            case "semaphore":
                let semaphore = try scene.place.semaphore()
                return Supply(hold: {}, give: { try semaphore.signal() })
            case "event-automatic":
                let event = try scene.place.event(.automatic)
                return Supply(hold: {}, give: { try event.set() })
            case "condition":
                let mutex = try scene.place.mutex(), condition = try scene.place.condition()
                return Supply(
                    hold: {},
                    give: {
                        try mutex.withLock { pair in
                            pair[0] += 1
                            pair[1] += 1
                        }
                        try condition.notifyOne()
                    })
            case "mutex", "write", "permits", "once":
                var holder: PeerProcess?
                return Supply(
                    hold: { holder = try scene.holder(what) },
                    give: {
                        try holder?.send(what == "once" ? "throw" : "go")
                        if what != "once" { try holder?.says("let go") }
                    })
            default: throw TestFailure("no supply of \(what)")
            }
        }

        static let wanted = ["semaphore", "event-automatic", "condition", "mutex", "write", "permits", "once"]

        @Test(
            "S1–S8 L3 a sleeper that was woken and is killed before it runs: another gets what it was woken for",
            arguments: SyncPlace.Kind.allCases, wanted)
        func woken(kind: SyncPlace.Kind, what: String) throws {
            let scene = try SyncScene(kind)
            let supply = try supply(what, scene)
            try supply.hold()
            let first = try scene.sleeper(what)
            // The kernel wakes the one that went to sleep first; stopped, it does not act on that.
            try first.stop()
            let second = try scene.sleeper(what)
            try supply.give()
            first.kill()
            let line = try second.next()
            #expect(line == "got" || line == "did after \(first.pid)" || what == "once" && line == "did", "\(line)")
        }

        @Test("S1–S8 L3 sleepers killed in their sleep, several at once, leave nothing behind", arguments: SyncPlace.Kind.allCases, wanted)
        func asleep(kind: SyncPlace.Kind, what: String) throws {
            let scene = try SyncScene(kind)
            let supply = try supply(what, scene)
            try supply.hold()
            let victims = try scene.sleepers(3, what)
            let survivor = try scene.sleeper(what)
            for victim in victims { victim.kill() }
            for victim in victims { try victim.ends() }
            try survivor.becomesAsleep()
            #expect(try survivor.takeLine() == nil)
            try supply.give()
            let line = try survivor.next()
            #expect(line == "got" || line == "did", "\(line)")
        }

        @Test("S7 L4 an event that was set by one that is stopped before it wakes: the next who sets it wakes", arguments: [false, true])
        func setAndStopped(isAutomatic: Bool) throws {
            let scene = try SyncScene(.named)
            let event = try scene.place.event(isAutomatic ? .automatic : .manual)
            let sleeper = try scene.sleeper(isAutomatic ? "event-automatic" : "event")
            event.word.setBits(isAutomatic ? SemaphoreCore.step : SharedEvent.isSetBit)
            try event.set()
            try sleeper.says("got")
        }

        @Test("S6 S7 L3 who waits at an event or a latch is not held up by others killed there", arguments: SyncPlace.Kind.allCases)
        func broadcast(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let event = try scene.place.event()
            let victims = try scene.sleepers(2, "event")
            let survivors = try scene.sleepers(2, "event")
            for victim in victims { victim.kill() }
            // Their deaths make all look again; after that it is the event that wakes.
            try eventuallyBlocking("the deaths are announced") { event.segment.deathCount == 2 }
            for survivor in survivors { try survivor.becomesAsleep() }
            try event.set()
            for survivor in survivors { try survivor.says("got") }
        }

        @Test(
            "S4 L3 who changed the value and was killed before it could notify: who waits looks all the same",
            arguments: SyncPlace.Kind.allCases)
        func notifier(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let condition = try scene.place.condition(), mutex = try scene.place.mutex()
            let notifier = try scene.start("sync-change-and-die", "condition")
            try notifier.says("ready")
            let sleepers = try scene.sleepers(2, "condition")
            try notifier.send("now")
            // One of the two gets it.
            var lines: [String?] = [nil, nil]
            try eventuallyBlocking("one gets it") {
                lines = try zip(sleepers, lines).map { sleeper, line in try line ?? sleeper.takeLine() }
                return lines.contains("got")
            }
            #expect(lines.count { $0 != nil } == 1)
            try mutex.withLock { pair in
                pair[0] += 1
                pair[1] += 1
            }
            try condition.notifyOne()
            try eventuallyBlocking("and the other") {
                lines = try zip(sleepers, lines).map { sleeper, line in try line ?? sleeper.takeLine() }
                return lines == ["got", "got"]
            }
        }

        @Test(
            "S4 L3 a waiter that was notified, and finds the value inconsistent, passes it on: all are told",
            arguments: SyncPlace.Kind.allCases)
        func inconsistent(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let condition = try scene.place.condition(), mutex = try scene.place.mutex()
            let sleepers = try scene.sleepers(3, "condition")
            let holder = try scene.holder("mutex")
            holder.kill()
            try holder.ends()
            try condition.notifyOne()
            for sleeper in sleepers { try sleeper.says("inconsistent \(holder.pid)") }
            _ = try mutex.repair { pair, _ in pair = [3, 3] }
            for sleeper in sleepers {
                try sleeper.send("again")
                try sleeper.says("waiting")
                try sleeper.says("got")
            }
        }

        @Test(
            "L3 two processes, each waiting for the other, are both told when both are killed from outside, and one that is left is told",
            arguments: SyncPlace.Kind.allCases)
        func mutual(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            // Each has what the other waits for: a lock and permits, the classic embrace. The survivor of the kill gets on.
            let mutex = try scene.place.mutex(), permits = try scene.place.permits()
            let first = try scene.start("sync-embrace", "mutex"), second = try scene.start("sync-embrace", "permits")
            try first.says("holding")
            try second.says("holding")
            try first.send("go")
            try second.send("go")
            try first.becomesAsleep()
            try second.becomesAsleep()
            #expect(try first.takeLine() == nil && second.takeLine() == nil)
            first.kill()
            try second.says("inconsistent \(first.pid)")
            second.kill()
            let all = try permits.acquire(SyncPlace.permitUnits, until: patiently)
            all.release()
            #expect(syncOutcome { try mutex.withLock { _ in "got" } } == "inconsistent \(first.pid)")
        }
    }
}
