import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("ends") struct Ends {
        @Test("N8 whoever watches for the receiver's end keeps the memory that it looks at, and nothing else") func watching() throws {
            let scratch = try Scratch()
            let sender = try ByteSender(to: "q", options: scratch.options)
            let receiver = try ByteReceiver(from: "q", options: scratch.options)
            let end = sender.receiverEnd
            #expect(!end.hasClosed)
            receiver.close()
            sender.close()
            #expect(end.hasClosed && scratch.names == [])
        }

        @Test("C3 the sender closes: everything is received, then the end, again and again until another sender joins") func closes() throws
        {
            let scratch = try Scratch()
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            let early = try receiver.tryReceive()
            #expect(early == nil)
            var next: UInt64 = 0
            for session in 0..<5 {
                var sender = try Sender<Numbered>(to: "q", options: scratch.options)
                #expect(sender.nextSequence == next)
                for number in next..<next + UInt64(session) { try sender.send(Numbered(number)) }
                sender.close()
                for number in next..<next + UInt64(session) {
                    let found = try receiver.receive(until: soon)
                    #expect(found?.isWhole(number) == true)
                }
                next += UInt64(session)
                for _ in 0..<3 {
                    let end = try receiver.receive(until: soon)
                    #expect(end == nil)
                    expectNotReceived(.closed) { () throws(ReceiveError) in _ = try receiver.tryReceive() }
                    let batch = try receiver.receiveBatch(until: soon) { $0.count }
                    #expect(batch == nil)
                }
            }
            let sender = try Sender<Numbered>(to: "q", options: scratch.options)
            let nothing = try receiver.tryReceive()
            #expect(nothing == nil)
            #expect(sender.nextSequence == receiver.nextSequence)
        }

        @Test("C3 L2 ends of sessions that nobody waited for are told once each, in order, between their messages") func inOrder() throws {
            let scratch = try Scratch()
            let server = try PeerServer()
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            var random = SeededRandom.forTest(21)
            for _ in 0..<10 {
                // Sessions of processes that close or die, one after the other; the receiver looks only afterwards.
                var expected: [String] = []
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    let count = Int.random(in: 0...4, using: &random)
                    let dies = Bool.random(using: &random)
                    let pid = try server.start(["queue-hold", dies ? "die" : "leave", scratch.path, "\(count)"])
                    let ending = try server.wait(pid, watchdog)
                    #expect(ending == (dies ? "signalled 9" : "exited 0"))
                    expected += Array(repeating: "message", count: count) + [dies ? "died" : "closed"]
                }
                var found: [String] = []
                var number = receiver.nextSequence
                while found.count < expected.count {
                    do throws(ReceiveError) {
                        if let message = try receiver.receive(until: soon) {
                            #expect(message.isWhole(number))
                            number += 1
                            found.append("message")
                        } else {
                            found.append("closed")
                        }
                    } catch {
                        guard case .peerDied(let notice) = error else { throw error }
                        #expect(notice.held == .sender && notice.program == "TestPeer")
                        found.append("died")
                    }
                }
                #expect(found == expected, "IPC_SEED=\(SeededRandom.runSeed)")
                // And the last one is said again.
                let again = receiveFailure { () throws(ReceiveError) in if try receiver.receive(until: soon) == nil { throw .closed } }
                if case .peerDied? = again {
                    #expect(expected.last == "died")
                } else {
                    #expect(again == .closed && expected.last == "closed")
                }
            }
        }

        @Test(
            "L2 C5 a killed sender: a waiting receiver is told who it was, after everything it had sent", arguments: WaitStrategy.allCases)
        func senderDies(strategy: WaitStrategy) throws {
            let scratch = try Scratch()
            let server = try PeerServer()
            let record = try QueueRecord.create(in: scratch.directory)
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options, strategy: strategy)
            for round in 0..<UInt64(5) {
                record[.ready] = 0
                let pid = try server.start(["queue-hold", "send", scratch.path, "3"])
                let came = receiver.waitForSender(until: soon)
                #expect(came)
                for number in round * 3..<round * 3 + 3 {
                    let found = try receiver.receive(until: soon)
                    #expect(found?.isWhole(number) == true)
                }
                #expect(eventually { record[.ready] == 1 })
                let waiting = receiveFailure { () throws(ReceiveError) in _ = try receiver.receive(until: .after(.milliseconds(1))) }
                #expect(waiting == .deadline)
                let killer = try TestThread {
                    sleepThread(for: .milliseconds(5))
                    try server.kill(pid)
                }
                let told = receiveFailure { () throws(ReceiveError) in _ = try receiver.receive(until: soon) }
                try killer.join()
                guard case .peerDied(let notice)? = told else {
                    Issue.record("\(String(describing: told))")
                    continue
                }
                #expect(notice.pid == pid && notice.program == "TestPeer" && notice.held == .sender)
                let cameBack = receiver.waitForSender(until: .after(.milliseconds(1)))
                #expect(!cameBack)
            }
        }

        @Test(
            "L2 C5 nobody acts on a death before a barrier has stopped the dead one's threads, which may still run")
        func barrierAfterDeath() throws {
            let scratch = try Scratch()
            let server = try PeerServer()
            let record = try QueueRecord.create(in: scratch.directory)
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            let pid = try server.start(["queue-hold", "send", scratch.path, "1"])
            #expect(eventually { record[.ready] == 1 })
            // As whoever finds it dead does; it lives until then, so that nobody else is first.
            let role = Role.sender(QueueWords(receiver.segment.mapping))
            guard let holder = role.current.peer else { throw TestFailure("there is no sender") }
            let isUnused = SystemCallFaults.withFault("membarrier", .interrupted) {
                role.recover(holder)
                return SystemCallFaults.isPending
            }
            #expect(!isUnused)
            #expect(role.current.ending == .died)
            try server.kill(pid)
            let first = try receiver.receive(until: soon)
            #expect(first?.isWhole(0) == true)
        }

        @Test(
            "C5 a sender that has come and gone before the receiver waited for it has come: its ending is to be told")
        func senderCameAndWent() throws {
            let scratch = try Scratch()
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            for _ in 0..<2 {
                let sender = try Sender<Numbered>(to: "q", options: scratch.options)
                sender.close()
            }
            // The first one's ending stands in the record with which the second began.
            let first = try receiver.receive(until: soon)
            #expect(first == nil)
            let came = receiver.waitForSender(until: soon)
            #expect(came)
            let second = try receiver.receive(until: soon)
            #expect(second == nil)
            let another = receiver.waitForSender(until: .now)
            #expect(!another)
        }

        @Test("L2 C5 a killed receiver: a sender that waits for room is told who it was, and goes on with the next one") func receiverDies()
            throws
        {
            let scratch = try Scratch()
            let server = try PeerServer()
            let record = try QueueRecord.create(in: scratch.directory)
            var sender = try Sender<Numbered>(to: "q", capacity: 10, options: scratch.options)
            for round in 0..<5 {
                record[.ready] = 0
                while sendFailure({ () throws(SendError<Numbered>) in try sender.trySend(Numbered(sender.nextSequence)) }) == nil {}
                let pid = try server.start(["queue-hold", "receive", scratch.path, "2"])
                #expect(eventually { record[.ready] == 1 })
                let isThere = sender.waitForReceiver(until: soon)
                #expect(isThere)
                while sendFailure({ () throws(SendError<Numbered>) in try sender.trySend(Numbered(sender.nextSequence)) }) == nil {}
                let killer = try TestThread {
                    sleepThread(for: .milliseconds(round))
                    try server.kill(pid)
                }
                let told = sendFailure { () throws(SendError<Numbered>) in try sender.send(Numbered(sender.nextSequence), until: soon) }
                try killer.join()
                guard case .peerDied(let notice)? = told else {
                    Issue.record("\(String(describing: told))")
                    continue
                }
                #expect(notice.pid == pid && notice.held == .receiver)
                let receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
                #expect(receiver.nextSequence == UInt64(round * 2 + 2))
                _ = sender.waitForReceiver(until: soon)
                receiver.close()
            }
            sender.close()
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            var number = receiver.nextSequence
            while let message = try receiver.receive(until: soon) {
                #expect(message.isWhole(number))
                number += 1
            }
        }

        @Test("C3 the receiver closes: a sender that has room is told with its second message, and both messages stay its own")
        func receiverClosesEarly() throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var sender = try Sender<Numbered>(to: "q", options: scratch.options)
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            try sender.send(Numbered(0))
            _ = try receiver.receive(until: soon)
            receiver.close()
            try sender.send(Numbered(1))
            expectNotSent(.closed) { () throws(SendError<Numbered>) in try sender.trySend(Numbered(2)) }
            expectNotSent(.closed) { () throws(SendError<Numbered>) in try sender.send(Numbered(2), until: soon) }
            #expect(sender.nextSequence == 2)
            receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            try sender.send(Numbered(2))
            for number in 1..<UInt64(3) {
                let message = try receiver.receive(until: soon)
                #expect(message?.isWhole(number) == true)
            }
        }

        @Test("C3 the receiver closes: a full queue's sender is told; it goes on when another joins") func receiverCloses() throws {
            let scratch = try Scratch()
            var sender = try Sender<Numbered>(to: "q", capacity: 10, options: scratch.options)
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            while sendFailure({ () throws(SendError<Numbered>) in try sender.trySend(Numbered(sender.nextSequence)) }) == nil {}
            receiver.close()
            expectNotSent(.closed) { () throws(SendError<Numbered>) in try sender.send(Numbered(0), until: soon) }
            expectNotSent(.closed) { () throws(SendError<Numbered>) in try sender.trySend(Numbered(0)) }
            expectNotSent(.closed) { () throws(SendError<Int>) in _ = try sender.trySend(contentsOf: [Numbered(0)].span) }
            let isThere = sender.waitForReceiver(until: .now)
            #expect(!isThere)
            receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            let first = try receiver.receive(until: soon)
            #expect(first?.isWhole(0) == true)
            try sender.send(Numbered(sender.nextSequence), until: soon)
            let count = sender.nextSequence
            sender.close()
            for number in 1..<count {
                let message = try receiver.receive(until: soon)
                #expect(message?.isWhole(number) == true)
            }
        }
    }
}
