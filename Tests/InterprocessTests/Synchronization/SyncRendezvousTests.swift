import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// Barrier and latch: nobody waits for the dead.
    @Suite("who is waited for dies") struct Rendezvous {
        @Test(
            "S6 L3 a barrier tells each of the others, once, who has died, and goes on with those that are left",
            arguments: SyncPlace.Kind.allCases, Holders.causes)
        func barrier(kind: SyncPlace.Kind, cause: String) throws {
            let scene = try SyncScene(kind)
            let victim = try scene.holder("barrier")
            let sleepers = try scene.sleepers(2, "barrier")
            try victim.send(cause)
            for sleeper in sleepers { try sleeper.says("peerDied \(victim.pid)") }
            try sleepers[0].send("again")
            try sleepers[0].says("waiting")
            try sleepers[0].becomesAsleep()
            // In the place of the dead.
            let newcomer = try scene.sleeper("barrier")
            try sleepers[1].send("again")
            try sleepers[1].says("waiting")
            try sleepers[1].says("last")
            try newcomer.says("together")
            try sleepers[0].says("together")
        }

        @Test(
            "S6 L3 parties that die where nobody waits, asleep, or several at once: who is left is told and gets through",
            arguments: SyncPlace.Kind.allCases)
        func several(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let barrier = try scene.place.barrier()
            let asleep = try scene.sleeper("barrier")
            let away = try scene.holder("barrier")
            asleep.kill()
            away.kill()
            var told: Set<String> = []
            var ending = ""
            for _ in 0..<3 where ending != "last" {
                ending = syncOutcome { try barrier.wait(until: patiently) ? "last" : "together" }
                if ending != "last" { told.insert(ending) }
            }
            #expect(ending == "last" && !told.isEmpty)
            #expect(told.isSubset(of: ["peerDied \(asleep.pid)", "peerDied \(away.pid)"]))
            #expect(barrier.members == 1)
        }

        @Test("S6 a party that leaves in order is not waited for, and nobody is told", arguments: SyncPlace.Kind.allCases)
        func leaves(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let leaving = try scene.holder("barrier")
            let sleepers = try scene.sleepers(2, "barrier")
            try leaving.send("go")
            for sleeper in sleepers { try sleeper.says("together") }
        }

        @Test(
            "S6 L3 a latch tells who waits of one that died without counting down, and not of one that had",
            arguments: SyncPlace.Kind.allCases, Holders.causes)
        func latch(kind: SyncPlace.Kind, cause: String) throws {
            let scene = try SyncScene(kind)
            let latch = try scene.place.latch()
            let dutiful = try scene.holder("latch-counted"), victim = try scene.holder("latch")
            let sleepers = try scene.sleepers(2, "latch")
            try dutiful.send(cause)
            try eventuallyBlocking("the death is announced") { latch.segment.deathCount == 1 }
            for sleeper in sleepers { try sleeper.becomesAsleep() }
            try victim.send(cause)
            for sleeper in sleepers { try sleeper.says("peerDied \(victim.pid)") }
            // Also who was there and did not wait at the time; once.
            #expect(
                syncOutcome {
                    try latch.wait(until: patiently); return "got"
                } == "peerDied \(victim.pid)")
            #expect(
                syncOutcome {
                    try latch.wait(until: .after(.milliseconds(2))); return "got"
                } == "deadline")
            for sleeper in sleepers {
                try sleeper.send("again")
                try sleeper.says("waiting")
                try sleeper.becomesAsleep()
            }
            try latch.countDown()
            for sleeper in sleepers { try sleeper.says("got") }
        }
    }
}
