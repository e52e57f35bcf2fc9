import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    @Suite("patience") struct Patience {
        /// Two that each hold something until the other holds it as well, so that it is never free; but 20 ms at most.
        private final class Relay: Sendable {
            private let turns = Lock([0, 0])
            private let isOver = Flag()

            func run(_ me: Int, holding: (() throws -> Void) throws -> Void) throws {
                while !isOver.isRaised {
                    try holding {
                        let other = turns.withLock { turns in
                            turns[me] += 1
                            return turns[1 - me]
                        }
                        let end = MonotonicInstant.now.advanced(by: .milliseconds(20))
                        while turns.withLock({ $0[1 - me] }) == other, .now < end, !isOver.isRaised { Processor.yield() }
                    }
                }
            }

            var count: Int { turns.withLock { $0[0] + $0[1] } }
            func end() { isOver.raise() }
        }

        @Test(
            "S3 S4 who waits while others hold it in turns, so that it never becomes free, gets it all the same", .timeLimit(.minutes(5)),
            arguments: WaitStrategy.allCases, ["write", "permits"])
        func neverFree(strategy: WaitStrategy, what: String) throws {
            let scene = try SyncScene(.named)
            let place = scene.place
            let relay = Relay()
            let holders = try (0..<2).map { me in
                try TestThread {
                    let (lock, permits) = (try place.readWriteLock(.park), try place.permits(.park))
                    try relay.run(me) { body in
                        if what == "write" { return try lock.withReadLock(until: patiently) { _ in try body() } }
                        let half = try permits.acquire(SyncPlace.permitUnits / 2, until: patiently)
                        try body()
                        half.release()
                    }
                }
            }
            try eventuallyBlocking("both are at it") { relay.count > 4 }
            let outcome = syncOutcome {
                if what == "write" { return try place.readWriteLock(strategy).withWriteLock(until: patiently) { _ in "got" } }
                try place.permits(strategy).acquire(SyncPlace.permitUnits, until: patiently).release()
                return "got"
            }
            relay.end()
            for holder in holders { try holder.join() }
            #expect(outcome == "got")
        }

        @Test(
            "S1 S3 a call that spins becomes the heir like one that sleeps, and steps back when it gives up",
            arguments: ["mutex", "semaphore"])
        func spinning(what: String) throws {
            let scene = try SyncScene(.named)
            defer { withExtendedLifetime(scene) {} }
            let place = scene.place
            let (mutex, semaphore) = (try place.mutex(.park), try place.semaphore(.park))
            var heir: SharedUInt32 { what == "mutex" ? mutex.object.words.heir : semaphore.object.words.heir }
            func start(_ deadline: Deadline) throws -> TestThread<String> {
                try TestThread {
                    let (mutex, semaphore) = (try place.mutex(.spin), try place.semaphore(.spin))
                    return syncOutcome {
                        if what == "mutex" { return try mutex.withLock(until: deadline) { _ in "got" } }
                        try semaphore.wait(until: deadline)
                        return "got"
                    }
                }
            }
            for givesUp in [true, false] {
                let hold = { () throws -> TestThread<String> in
                    let spinner = try start(givesUp ? .after(.milliseconds(300)) : patiently)
                    try eventuallyBlocking("it has become the heir") { !ClaimWord.isFree(heir.loadAcquire()) }
                    if givesUp { #expect(try spinner.join() == "deadline") }
                    return spinner
                }
                let spinner = what == "mutex" ? try mutex.withLock { _ in try hold() } : try hold()
                if what == "semaphore", !givesUp { try semaphore.signal() }
                #expect(try spinner.join() == (givesUp ? "deadline" : "got"))
                #expect(ClaimWord.isFree(heir.loadAcquire()))
            }
            // Nothing is left behind.
            if what == "mutex" { #expect(syncOutcome { try mutex.withLock(until: patiently) { _ in "got" } } == "got") }
        }

        @Test(
            "S6 a latch does not tell of one that had counted down when others have had its place in the table since",
            arguments: SyncPlace.Kind.allCases)
        func latch(kind: SyncPlace.Kind) throws {
            let scene = try SyncScene(kind)
            let latch = try scene.place.deepLatch()
            var slots = Set<Int>()
            var last: Int32 = 0
            for deaths in 1...5 {
                // The last one has not counted.
                let holder = try scene.holder(deaths == 5 ? "deep-latch" : "deep-latch-counted")
                last = holder.pid
                slots.insert(try #require(latch.segment.peers.first { $0.pid == holder.pid }).id.slot)
                holder.kill()
                try eventuallyBlocking("the death is announced") { latch.segment.deathCount == deaths }
                try eventuallyBlocking("its place is free") { !latch.segment.peers.contains { $0.pid == holder.pid } }
            }
            #expect(slots.count == 1, "the place is used again")
            let told = syncOutcome {
                try latch.wait(until: patiently)
                return "got"
            }
            #expect(told == "peerDied \(last)")
            let more = syncOutcome {
                try latch.wait(until: .after(.milliseconds(2)))
                return "got"
            }
            #expect(more == "deadline")
        }
    }
}
