import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

extension QueueSuite {
    @Suite("starting") struct Starting {
        /// `IPC_START_KILLS=1000` for the long form.
        static let kills = SeededRandom.setting("IPC_START_KILLS", default: 60)

        @Test(
            "C5 N2 N3 L3 a program killed at any moment of its start: the next start works at once, and nothing published is lost",
            arguments: [false, true])
        func killedWhileStarting(isQueueThere: Bool) throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var random = SeededRandom.forTest(isQueueThere ? 11 : 12)
            // The other side may be there all the time, or nobody.
            var resident = isQueueThere ? try Receiver<Numbered>(from: "q", options: scratch.options) : nil
            var next: UInt64 = 0
            let watch = try HangWatch("starting")
            defer { watch.end() }
            for kill in 0..<Self.kills / 2 {
                watch.step("kill \(kill)")
                do {
                    var victim = try ChildProcess(starting: testPeerProgram, arguments: ["queue-hold", "work", scratch.path, "25"])
                    sleepThread(for: .microseconds(Int.random(in: 0...40_000, using: &random)))
                    victim.send(signal: Signal.kill)
                    _ = try victim.wait()
                    let start = MonotonicInstant.now
                    var sender = try Sender<Numbered>(to: "q", options: scratch.options)
                    try sender.send(Numbered(sender.nextSequence), until: soon)
                    let took = MonotonicInstant.now.nanoseconds(since: start)
                    #expect(took < 4_500_000_000, "the next start took \(took) ns")
                    let end = sender.nextSequence
                    sender.close()
                    if resident != nil {
                        try receiveAll(&resident, from: &next, to: end)
                    } else {
                        // A queue that was empty when its last process died begins anew.
                        var receiver: Receiver<Numbered>? = try Receiver<Numbered>(from: "q", options: scratch.options)
                        next = receiver?.nextSequence ?? 0
                        try receiveAll(&receiver, from: &next, to: end)
                    }
                } catch {
                    throw TestFailure("IPC_SEED=\(SeededRandom.runSeed), kill \(kill): \(error)")
                }
            }
        }

        private func receiveAll(_ receiver: inout Receiver<Numbered>?, from next: inout UInt64, to end: UInt64) throws {
            while next < end {
                do {
                    guard let message = try receiver?.receive(until: soon) else { continue }  // an end between the messages
                    guard message.isWhole(next) else { throw TestFailure("instead of message \(next): \(message)") }
                    next += 1
                } catch ReceiveError.peerDied {}
            }
        }

        @Test("N8 L3 a table full of peers that died in joining does not keep the next one out", arguments: [false, true])
        func tableOfDead(isSomebodyThere: Bool) throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var sender: Sender<Numbered>? = try Sender<Numbered>(to: "q", options: scratch.options)
            try sender?.send(Numbered(0))
            if !isSomebodyThere { sender = nil }
            // Each has claimed its slot and then died, before it could repair anything: as the kernel leaves their life words.
            let file = try FileDescriptor.open(FilePath("\(scratch.path)/q"), .readWrite)
            let slots = unsafe try #require(mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0))
            for slot in (isSomebodyThere ? 1 : 0)..<8 {
                unsafe slots.storeBytes(of: 0xc000_0000, toByteOffset: 4096 + slot * 128, as: UInt32.self)
            }
            unsafe munmap(slots, 8192)
            try file.close()
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            let message = try receiver.receive(until: soon)
            #expect(message?.isWhole(0) == true)
            let peers = receiver.segment.peers
            #expect(peers.count == (isSomebodyThere ? 2 : 1))
            #expect((sender != nil) == isSomebodyThere)
        }
    }
}
