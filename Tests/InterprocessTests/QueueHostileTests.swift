import InterprocessSystem
import QueueTestSupport
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("hostile bytes") struct Hostile {
        /// Ones; control records of no session, of possible ones with each ending, of one to come; what is not published; an empty message.
        static let words: [UInt64] = [
            .max, 0xc000_0000_0000_0000, 0xc000_0101_0000_0000, 0xc000_0202_0000_0000, 0xc000_0302_0000_0000, 0xc000_0002_0000_0001,
            0x4000_0000_0000_0000, 1, 0x8000_0000_0000_0000,
        ]

        @Test(
            "X1 X2 a ring full of one pattern is damage to whoever receives, and no call goes round it for ever",
            arguments: Self.words, [QueueOverflow.wait, .dropOldest])
        func patterns(word: UInt64, overflow: QueueOverflow) throws {
            let scratch = try Scratch()
            let options = QueueOptions(directory: scratch.directory, overflow: overflow)
            let sender = try ByteSender(to: "q", capacity: 1000, options: options)
            sender.close()
            var next = try ByteSender(to: "q", options: options)
            try next.send([1, 2, 3])
            var receiver = try ByteReceiver(from: "q", options: options)
            let watch = try HangWatch("ring full of \(word)")
            defer { watch.end() }
            let ring = unsafe UnsafeMutableRawBufferPointer(
                start: next.segment.mapping.data, count: next.segment.header.dataSize)
            unsafe ring.bindMemory(to: UInt64.self).update(repeating: word)
            var found: ReceiveError?
            for _ in 0..<3 where found == nil {
                // An ending, or an empty message, may be what the pattern says once.
                found = receiveFailure { () throws(ReceiveError) in _ = try receiver.receive(until: .after(.milliseconds(1))) }
            }
            guard case .damaged(let field)? = found else { throw TestFailure("\(String(describing: found))") }
            #expect(field.hasPrefix("header"))
            scratch.removeNames()
        }
    }
}
