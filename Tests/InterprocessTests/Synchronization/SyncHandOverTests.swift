import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// Calls that are taken step by step, so that they meet in the one order that a test could not bring about.
    @Suite("hand-over, step by step") struct HandOver {
        private func scene() throws -> [SharedSemaphore] {
            let scene = try SyncScene(.named)
            return try (0..<3).map { _ in try scene.place.semaphore(.park) }
        }

        /// Makes `call` wait for longer than the patience of who is overtaken, then look again.
        private func sleepLong(_ call: inout WaitingCall, _ look: (inout WaitingCall) -> SleepWords?) throws {
            call.maySleep = true
            _ = try #require(look(&call))
            call.willSleep()
            sleepThread(for: .milliseconds(2))
            _ = try #require(look(&call))
            #expect(call.isHeir)
        }

        @Test("S3 a call that stood back for one that then gave up does not go to sleep on the free lock")
        func lockGivenUp() throws {
            let scene = try SyncScene(.named)
            let mutexes = try (0..<3).map { _ in try scene.place.mutex() }
            let (holder, heir, other) = (mutexes[0].core, mutexes[1].core, mutexes[2].core)
            func look(_ core: LockCore) -> (inout WaitingCall) -> SleepWords? {
                { call in
                    guard case .sleep(let words) = core.look(&call, isMine: { false }) else { return nil }
                    return words
                }
            }
            #expect(holder.takeFree())
            var waiting = WaitingCall(maySleep: true), standing = WaitingCall(maySleep: true)
            try sleepLong(&waiting, look(heir))
            _ = try #require(look(other)(&standing))
            standing.willSleep()
            holder.letGo()
            let words = try #require(look(other)(&standing))
            #expect(!words.haveChanged)
            heir.giveUp(&waiting)
            #expect(words.haveChanged, "nobody would wake it")
            guard case .done(.free) = other.look(&standing, isMine: { false }) else { throw TestFailure("the lock is not to be had") }
            other.letGo()
        }

        @Test(
            "S1 a call that stood back for one that gave up, or took one of several units, does not go to sleep on the others",
            arguments: [true, false])
        func units(givesUp: Bool) throws {
            let semaphores = try scene()
            let (heir, other) = (semaphores[1].core, semaphores[2].core)
            func look(_ core: SemaphoreCore) -> (inout WaitingCall) -> SleepWords? {
                { call in
                    guard case .sleep(let words) = core.look(&call) else { return nil }
                    return words
                }
            }
            var waiting = WaitingCall(maySleep: true), standing = WaitingCall(maySleep: true)
            try sleepLong(&waiting, look(heir))
            _ = try #require(look(other)(&standing))
            standing.willSleep()
            // The mark stays, since an heir relies on it.
            try semaphores[0].signal(2)
            let words = try #require(look(other)(&standing))
            #expect(!words.haveChanged)
            if givesUp {
                heir.giveUp(&waiting)
            } else {
                guard case .done(true) = heir.look(&waiting) else { throw TestFailure("the heir gets nothing") }
            }
            #expect(words.haveChanged, "nobody would wake it")
            guard case .done(true) = other.look(&standing) else { throw TestFailure("the unit is not to be had") }
        }

        @Test("S7 who waits when an event is set comes through, also if it is reset before it can look", arguments: SyncPlace.Kind.allCases)
        func setAndReset(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let event = try scene.place.event()
            for _ in 0..<20 {
                let sleepers = try scene.sleepers(2, "event")
                try event.set()
                try event.reset()
                for sleeper in sleepers { try sleeper.says("got") }
                #expect(try !event.tryWait())
            }
        }

        @Test("S1 a semaphore refuses more units than it holds, however many")
        func tooMany() throws {
            let semaphore = try scene()[0]
            try semaphore.signal(3)
            for count in [Int.max, SharedSemaphore.maximum - 2] {
                #expect(
                    syncOutcome {
                        try semaphore.signal(count); return "got"
                    } == "impossible")
            }
            #expect(semaphore.value == 3)
        }
    }
}
