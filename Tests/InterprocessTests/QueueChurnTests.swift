import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("churn") struct Churn {
        @Test("N6 N8 both sides come and go all the time: every message is received once, and the name goes with the last") func comeAndGo()
            throws
        {
            for round in 0..<4 {
                let scratch = try Scratch()
                let path = scratch.path
                let sessions = 150
                let counter = try TestThread { () -> Int in
                    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)))
                    var random = SeededRandom.forTest(UInt64(100 + round))
                    var sent = 0
                    for _ in 0..<sessions {
                        var sender = try Sender<UInt64>(to: "q", options: options)
                        for _ in 0..<Int.random(in: 0...2, using: &random) {
                            // The receiver of this moment may just have closed: then it is the next one's.
                            while sendFailure({ () throws(SendError<UInt64>) in try sender.send(UInt64(sent), until: soon) }) == .closed {
                                _ = sender.waitForReceiver(until: soon)
                            }
                            sent += 1
                        }
                    }
                    return sent
                }
                var received = 0
                var random = SeededRandom.forTest(UInt64(200 + round))
                var sent: Int?
                let watch = try HangWatch("churn")
                defer { watch.end() }
                let limit = MonotonicInstant.now.advanced(by: .seconds(60))
                while (sent == nil || received < sent!) && MonotonicInstant.now < limit {
                    sent = try counter.resultNow()
                    var receiver = try Receiver<UInt64>(from: "q", options: scratch.options)
                    for _ in 0..<Int.random(in: 0...4, using: &random) {
                        guard case .success(let message?) = result(of: { () throws(ReceiveError) in try receiver.tryReceive() }) else {
                            continue
                        }
                        #expect(message == UInt64(received))
                        received += 1
                    }
                }
                #expect(received == sent)
                #expect(scratch.names == [])
            }
        }

        @Test("C1 an onlooker's check is right at any time, while both sides work") func onlooker() throws {
            let scratch = try Scratch()
            let path = scratch.path
            let stop = try QueueRecord.create(in: scratch.directory)
            var threads: [TestThread<Void>] = []
            threads.append(
                try TestThread {
                    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)))
                    var sender = try ByteSender(to: "q", capacity: 3000, options: options, strategy: .park)
                    while stop[.stop] == 0 {
                        let number = sender.nextSequence
                        _ = try sender.publish(byteCount: NumberedBytes.size(number, limit: 400), until: soon) {
                            NumberedBytes.fill(&$0, number)
                        }
                    }
                })
            threads.append(
                try TestThread {
                    let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)))
                    var receiver = try ByteReceiver(from: "q", capacity: 3000, options: options, strategy: .park)
                    while try receiver.receive(until: soon, { $0.byteCount }) != nil {}
                })
            let options = QueueOptions(directory: scratch.directory, existence: .mustExist)
            let isThere = eventually { (try? QueueSegment.open("q", .bytes, capacity: nil, options)) != nil }
            #expect(isThere)
            let segment = try QueueSegment.open("q", .bytes, capacity: nil, options)
            var last = try QueueInspection.validate(segment)
            let end = MonotonicInstant.now.advanced(by: .milliseconds(400))
            while MonotonicInstant.now < end {
                let now = try QueueInspection.validate(segment)
                #expect(
                    now.sent >= last.sent && now.received >= last.received && now.sent >= now.received && now.waitingBytes <= now.ringBytes)
                last = now
            }
            #expect(last.received > 1000)
            stop[.stop] = 1
            for thread in threads { try thread.join() }
        }
    }
}

private func result<Value, Failure: Error>(of body: () throws(Failure) -> Value) -> Result<Value, Failure> { Result(catching: body) }
