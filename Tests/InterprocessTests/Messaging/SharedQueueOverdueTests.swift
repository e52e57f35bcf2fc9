import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

@Suite("What receivers of a shared queue have had for too long")
struct SharedQueueOverdueTests {
    private let directory: TemporaryDirectory
    private var deadline: Deadline { .after(watchdog) }

    init() throws { directory = try TemporaryDirectory() }

    private func queue(_ within: Duration, capacity: Int = 8, _ strategy: WaitStrategy = .park) throws -> SharedQueue<Int> {
        try SharedQueue(
            named: "q", capacity: capacity, options: SharedQueueOptions(directory: directory.objects, acknowledgeWithin: within),
            strategy: strategy)
    }

    @Test("C4 it comes again to a receiver that only spins, and to one that only tries")
    func polled() throws {
        let queue = try queue(.milliseconds(20), .spin)
        try queue.send(1)
        let slow = try must(try queue.tryTake())
        #expect(try queue.receive(until: deadline) == 1)
        slow.giveBack()
        try queue.send(2)
        let slower = try must(try queue.tryTake())
        try eventuallyBlocking("it comes again") { try queue.tryReceive() == 2 }
        slower.giveBack()
        #expect(queue.statistics.taken == 0 && queue.statistics.waiting == 0)
    }

    @Test("C4 it comes again to a receiver that always finds another message")
    func busy() throws {
        let queue = try queue(.milliseconds(20))
        try queue.send(-1)
        let slow = try must(try queue.tryTake())
        var number = 0
        try eventuallyBlocking("it comes again") {
            try queue.send(number)
            number += 1
            return try queue.tryReceive() == -1
        }
        slow.giveBack()
    }

    @Test("C4 C9 it makes a set ready that only spins, and one that is only polled")
    func watched() throws {
        let queue = try queue(.milliseconds(20))
        for isPolled in [false, true] {
            try queue.send(1)
            let slow = try must(try queue.tryTake())
            var set = WaitSet(strategy: .spin)
            let source = set.add(queue)
            if isPolled {
                try eventuallyBlocking("the set is ready") { try set.poll().map(\.source) == [source] }
            } else {
                #expect(try set.wait(until: deadline).map(\.source) == [source])
            }
            #expect(try queue.tryReceive() == 1)
            slow.giveBack()
        }
    }

    @Test("C4 a time to acknowledge beyond the end of time never ends")
    func never() throws {
        let queue = try queue(.seconds(Int64.max))
        try queue.send(1)
        let held = try must(try queue.tryTake())
        #expect(throws: ReceiveError.deadline) { try queue.receive(until: .after(.milliseconds(5))) }
        #expect(try queue.tryReceive() == nil)
        try held.acknowledge()
    }

    @Test("C4 a receiver that was stopped before it wrote down when it took the message loses it all the same, in time")
    func stoppedBeforeItSaid() throws {
        let queue = try queue(.milliseconds(20), capacity: 1)
        try queue.send(1)
        let slow = try must(try queue.tryTake())
        queue.core.slots.takenTime(0).storeRelaxed(0)
        #expect(try queue.receive(until: deadline) == 1)
        slow.giveBack()
    }

    @Test("C4 the time of a message that stood in the slot before is not that of this one")
    func stale() throws {
        let queue = try queue(.seconds(100), capacity: 1)
        try queue.send(1)
        #expect(try queue.receive(until: deadline) == 1)
        // Delivered once, as the next one, and long ago.
        let time = queue.core.slots.takenTime(0)
        let stale = time.loadRelaxed() &- (1 << 16) * 3_000_000
        try queue.send(2)
        let held = try must(try queue.tryTake())
        time.storeRelaxed(stale)
        #expect(throws: ReceiveError.deadline) { try queue.receive(until: .after(.milliseconds(5))) }
        try held.acknowledge()
    }
}
