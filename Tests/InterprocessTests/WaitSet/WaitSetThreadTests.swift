import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

/// A receiver that several threads of a test get hold of, one after the other.
private final class SharedReceiving: @unchecked Sendable {
    private var receiver: Receiver<UInt64>?
    let session: QueueSession

    init(_ directory: TemporaryDirectory) throws {
        let receiver = try Receiver<UInt64>(from: "q", options: QueueOptions(directory: directory.objects))
        session = receiver.core.session
        self.receiver = .some(consume receiver)
    }

    func add(to set: inout WaitSet) -> WaitSet.Source? { receiver?.added(to: &set) }

    func watched() -> WatchedReceiver? { receiver?.watched() }

    func take() throws -> UInt64? { try receiver?.tryReceive() ?? nil }

    func close() { receiver = nil }

    func becomesAsleep() throws {
        try eventuallyBlocking("it sleeps") { session.words.receiverFlags.loadAcquire() & WaitFlags.sleeping != 0 }
    }
}

extension SyncSuite {
    @Suite("wait set, threads") struct WaitSetThreads {
        @Test("C9 a receiver that another thread closes ends the sleep of a set that watches it")
        func closing() throws {
            let directory = try TemporaryDirectory()
            let receiving = try SharedReceiving(directory)
            let thread = try TestThread {
                var set = WaitSet(strategy: .park)
                _ = receiving.add(to: &set)
                return try set.wait().map(\.condition)
            }
            try receiving.becomesAsleep()
            receiving.close()
            #expect(try thread.join() == [.closed])
        }

        @Test("C9 a set that watches one queue's room for a small and for a large message is woken by room for the small one")
        func rooms() throws {
            let directory = try TemporaryDirectory()
            let options = QueueOptions(directory: directory.objects)
            var sender = try ByteSender(to: "q", capacity: 3000, options: options)
            var receiver = try ByteReceiver(from: "q", options: options)
            for size in [500, 1] {
                let message = [UInt8](repeating: 1, count: size)
                while true { do throws(SendError<Void>) { unsafe try sender.trySend(message.span.bytes) } catch { break } }
            }
            var set = WaitSet(strategy: .park)
            let small = set.add(roomFor: 1, in: sender)
            _ = set.add(roomFor: 3000, in: sender)
            let box = SetBox(set)
            let thread = try TestThread { try box.set.wait().map(\.source) }
            let flags = receiver.core.session.words.senderFlags
            try eventuallyBlocking("it sleeps") { flags.loadAcquire() & WaitFlags.sleeping != 0 }
            _ = try receiver.receive(until: .now) { _ in }
            #expect(try thread.join() == [small])
        }

        @Test("C9 who watched a receiver that has closed, and wakes late, does not take the next receiver's sleep away")
        func late() throws {
            let directory = try TemporaryDirectory()
            var sender = try Sender<UInt64>(to: "q", options: QueueOptions(directory: directory.objects))
            let before = try SharedReceiving(directory)
            let watched = try #require(before.watched())
            _ = watched.announce()
            before.close()
            let next = try SharedReceiving(directory)
            let thread = try TestThread {
                var set = WaitSet(strategy: .park)
                _ = next.add(to: &set)
                return try set.wait().map(\.condition)
            }
            try next.becomesAsleep()
            // Now it wakes, and one more comes that has not noticed yet.
            watched.cancel()
            _ = watched.announce()
            watched.cancel()
            #expect(next.session.words.receiverFlags.loadAcquire() & WaitFlags.sleeping != 0)
            try sender.send(7)
            #expect(try thread.join() == [.ready])
        }

        @Test("C9 one of two sets that sleep at a receiver gives up: the other is woken all the same")
        func several() throws {
            let directory = try TemporaryDirectory()
            let receiving = try SharedReceiving(directory)
            var sender = try Sender<UInt64>(to: "q", options: QueueOptions(directory: directory.objects))
            for round in 0..<10 {
                func waiting(_ deadline: @escaping @Sendable () -> Deadline) throws -> TestThread<Int> {
                    var set = WaitSet(strategy: .park)
                    _ = receiving.add(to: &set)
                    let box = SetBox(set)
                    return try TestThread {
                        do throws(WaitError) { return try box.set.wait(until: deadline()).count } catch {
                            guard error == .deadline else { throw error }
                            return 0
                        }
                    }
                }
                let staying = try waiting { .never }
                try receiving.becomesAsleep()
                let leaving = try waiting { .after(.milliseconds(2)) }
                #expect(try leaving.join() == 0)
                try sender.send(UInt64(round))
                #expect(try staying.join() == 1, "round \(round)")
                #expect(try receiving.take() == UInt64(round))
            }
        }
    }
}

/// A set that a thread takes along.
private final class SetBox: @unchecked Sendable {
    var set: WaitSet
    init(_ set: consuming WaitSet) { self.set = set }
}

extension Receiver {
    fileprivate borrowing func watched() -> WatchedReceiver { WatchedReceiver(core.session, core.dropping, alignment: core.alignment) }
    fileprivate borrowing func added(to set: inout WaitSet) -> WaitSet.Source { set.add(self) }
}
