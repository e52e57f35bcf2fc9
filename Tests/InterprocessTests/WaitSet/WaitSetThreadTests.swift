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
    fileprivate borrowing func added(to set: inout WaitSet) -> WaitSet.Source { set.add(self) }
}
