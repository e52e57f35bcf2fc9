import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    @Suite("wait set, shared queues and latest values") struct WaitSetShared {
        private let directory: TemporaryDirectory

        init() throws { directory = try TemporaryDirectory() }

        private func queue(
            _ name: ObjectName, capacity: Int = 2, _ change: (inout SharedQueueOptions) -> Void = { _ in }
        ) throws -> SharedQueue<Int> {
            var options = SharedQueueOptions(directory: directory.objects)
            change(&options)
            return try SharedQueue(named: name, capacity: capacity, options: options)
        }

        private func ready(_ set: inout WaitSet) throws -> [WaitSet.Source] { try set.poll().map(\.source) }

        @Test("C9 messages, room and the end of a shared queue")
        func states() throws {
            let queue = try queue("q")
            var set = WaitSet()
            let messages = set.add(queue)
            let room = set.add(roomIn: queue)
            #expect(try ready(&set) == [room])
            try queue.send(1)
            #expect(Set(try ready(&set)) == [messages, room])
            try queue.send(2)
            #expect(try ready(&set) == [messages])
            // Taken and not acknowledged: nothing to take, and no room.
            let first = try must(queue.tryTake())
            let second = try must(queue.tryTake())
            #expect(try ready(&set).isEmpty)
            first.giveBack()
            #expect(try ready(&set) == [messages])
            try second.acknowledge()
            #expect(Set(try ready(&set)) == [messages, room])
            #expect(try queue.tryReceive() == 1)
            #expect(try ready(&set) == [room])
            queue.finish()
            #expect(Set(try ready(&set)) == [messages, room])
        }

        @Test("C9 a set that sleeps is woken by a message, by room, by what comes back, and at the end")
        func wakes() throws {
            let queue = try queue("q", capacity: 1)
            func waiting(_ add: @escaping @Sendable (inout WaitSet) -> WaitSet.Source) throws -> TestThread<Int> {
                try TestThread {
                    var set = WaitSet(strategy: .park)
                    _ = add(&set)
                    return try set.wait(until: .after(watchdog)).count
                }
            }
            for number in 0..<20 {
                let receiving = try waiting { $0.add(queue) }
                try eventuallyBlocking("it sleeps") { queue.core.items.word.loadAcquire() & 1 != 0 }
                try queue.send(number)
                #expect(try receiving.join() == 1)
                let sending = try waiting { $0.add(roomIn: queue) }
                try eventuallyBlocking("it sleeps") { queue.core.space.word.loadAcquire() & 1 != 0 }
                let delivery = try must(queue.tryTake())
                let again = try waiting { $0.add(queue) }
                delivery.giveBack()
                #expect(try again.join() == 1)
                #expect(try queue.tryReceive() == number)
                #expect(try sending.join() == 1)
            }
            let atEnd = try waiting { $0.add(queue) }
            queue.finish()
            #expect(try atEnd.join() == 1)
        }

        @Test("C9 a set that was woken for a message and takes none leaves it to a receiver that sleeps")
        func passesOn() throws {
            let queue = try queue("q", capacity: 64)
            for round in 0..<50 {
                let watching = try TestThread {
                    var set = WaitSet(strategy: .park)
                    _ = set.add(queue)
                    return try set.wait(until: .after(watchdog)).count
                }
                let receiving = try TestThread { try queue.receive(until: .after(watchdog)) ?? -1 }
                try queue.send(round)
                #expect(try receiving.join() == round)
                // It may have come after the message was gone.
                try queue.send(-1)
                #expect(try watching.join() == 1)
                #expect(try queue.receive(until: .after(watchdog)) == -1)
            }
        }

        @Test("C4 C9 what a receiver has had for too long makes a set ready")
        func overdue() throws {
            let queue = try queue("q") { $0.acknowledgeWithin = .milliseconds(5) }
            try queue.send(1)
            let kept = try must(queue.tryTake())
            var set = WaitSet(strategy: .park)
            _ = set.add(queue)
            #expect(try set.wait(until: .after(watchdog)).count == 1)
            #expect(try queue.tryReceive() == 1)
            kept.giveBack()
        }

        @Test("C7 C9 changes of a latest value, each reported once")
        func latest() throws {
            let options = SynchronizationOptions(directory: directory.objects)
            let latest = try LatestValue<Int>(named: "l", initial: 0, options: options)
            var set = WaitSet(strategy: .park)
            let source = set.add(changesOf: latest)
            #expect(try ready(&set).isEmpty)
            try latest.store(1)
            try latest.store(2)
            #expect(try ready(&set) == [source])
            #expect(try ready(&set).isEmpty)
            for number in 3..<20 {
                let storing = try TestThread {
                    try eventuallyBlocking("it sleeps") { latest.words.current.loadAcquire() & 1 != 0 }
                    return try latest.store(number)
                }
                #expect(try set.wait(until: .after(watchdog)).map(\.source) == [source])
                #expect(try latest.load() == number)
                _ = try storing.join()
            }
        }
    }
}
