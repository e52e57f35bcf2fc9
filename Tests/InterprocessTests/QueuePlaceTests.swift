import InterprocessSystem
import SystemPackage
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("in place") struct InPlace {
        /// Where an address is in the queue's ring, as this side has it mapped; nil if it is elsewhere.
        private func place(_ address: UInt, _ segment: Segment) -> Int? {
            let ring = unsafe UInt(bitPattern: segment.mapping.data)
            let size = UInt(segment.header.dataSize)
            return address >= ring && address < ring + 2 * size ? Int((address - ring) % size) : nil
        }

        @Test("C2 values are written into the queue and read out of it where they stand, without a copy") func values() throws {
            let scratch = try Scratch()
            var sender = try Sender<UInt64>(to: "q", capacity: 100, options: scratch.options)
            var receiver = try Receiver<UInt64>(from: "q", options: scratch.options)
            let (there, here) = (sender.segment, receiver.segment)
            for round in 0..<100 as Range<UInt64> {
                var written: Int?
                _ = try sender.publish(upTo: 7) { span in
                    for number in 0..<7 as Range<UInt64> { span.append(round * 7 + number) }
                    unsafe span.withUnsafeMutableBufferPointer { buffer, _ in
                        written = place(UInt(bitPattern: buffer.baseAddress), there)
                    }
                }
                let read = try receiver.receiveBatch { span in
                    #expect(span.count == 7)
                    return unsafe span.withUnsafeBufferPointer { buffer in
                        return place(UInt(bitPattern: buffer.baseAddress), here)
                    }
                }
                #expect(written != nil && read?.get() == written, "round \(round)")
            }
        }

        @Test("C2 bytes are reserved, written, published and read where they stand, without a copy") func bytes() throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: 3000, options: scratch.options)
            var receiver = try ByteReceiver(from: "q", options: scratch.options)
            let (there, here) = (sender.segment, receiver.segment)
            for round in 0..<100 {
                let size = 1 + round * 29 % 2900
                var written: Int?
                do {
                    var reservation = try sender.reserve(byteCount: size, until: soon)
                    var bytes = reservation.bytes
                    unsafe bytes.withUnsafeMutableBytes { buffer in
                        written = place(UInt(bitPattern: buffer.baseAddress), there)
                        unsafe buffer.initializeMemory(as: UInt8.self, repeating: UInt8(round))
                    }
                    reservation.publish()
                }
                let read = try receiver.receive(until: soon) { bytes in
                    unsafe bytes.withUnsafeBytes { buffer in
                        let isWhole = unsafe buffer.count == size && buffer.allSatisfy { $0 == UInt8(round) }
                        #expect(isWhole)
                        return place(UInt(bitPattern: buffer.baseAddress), here)
                    }
                }
                #expect(written != nil && read?.get() == written, "round \(round)")
            }
        }

        @Test("C3 L4 every blocking call of a byte queue has a deadline", arguments: WaitStrategy.allCases)
        func deadlines(strategy: WaitStrategy) throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var sender = try ByteSender(to: "q", capacity: 100, options: scratch.options, strategy: strategy)
            expectNoOneComes { sender.waitForReceiver(until: $0) }
            var receiver = try ByteReceiver(from: "other", options: scratch.options, strategy: strategy)
            expectNoOneComes { receiver.waitForSender(until: $0) }
            receiver = try ByteReceiver(from: "q", options: scratch.options, strategy: strategy)
            expectDeadline { (until) throws(ReceiveError) in _ = try receiver.receive(until: until) }
            expectDeadline { (until) throws(ReceiveError) in _ = try receiver.receive(until: until) { $0.byteCount } }
            let message = [UInt8](repeating: 1, count: 100)
            while sendFailure({ () throws(SendError<Void>) in unsafe try sender.trySend(message.span.bytes) }) == nil {}
            expectDeadline { (until) throws(SendError<Void>) in unsafe try sender.send(message.span.bytes, until: until) }
            expectDeadline { (until) throws(SendError<Void>) in _ = try sender.publish(byteCount: 100, until: until) { _ in } }
            expectDeadline { (until) throws(SendError<Void>) in _ = try sender.reserve(byteCount: 100, until: until) }
            expectDeadline { (until) throws(SendError<Void>) in try sender.waitUntilReceived(until: until) }
        }

        private func expectNoOneComes(sourceLocation: SourceLocation = #_sourceLocation, _ body: (Deadline) -> Bool) {
            for delay in [0, 5] {
                let start = MonotonicInstant.now
                #expect(!body(.after(.milliseconds(delay))), sourceLocation: sourceLocation)
                #expect(MonotonicInstant.now.nanoseconds(since: start) >= delay * 1_000_000, sourceLocation: sourceLocation)
            }
        }

        private func expectDeadline(sourceLocation: SourceLocation = #_sourceLocation, _ body: (Deadline) throws(ReceiveError) -> Void) {
            expectNoOneComes(sourceLocation: sourceLocation) { until in
                receiveFailure { () throws(ReceiveError) in try body(until) } != .deadline
            }
        }

        private func expectDeadline(sourceLocation: SourceLocation = #_sourceLocation, _ body: (Deadline) throws(SendError<Void>) -> Void) {
            expectNoOneComes(sourceLocation: sourceLocation) { until in
                sendFailure { () throws(SendError<Void>) in try body(until) } != .deadline
            }
        }
    }
}
