import Interprocess
import QueueTestSupport
import TestSupport
import Testing

extension QueueSuite {
    @Suite("typed") struct Typed {
        @Test("C1 values arrive once, in order, whole") func order() throws {
            let scratch = try Scratch()
            var sender = try Sender<Numbered>(to: "q", capacity: 16, options: scratch.options)
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            var next: UInt64 = 0
            var random = SeededRandom.forTest(1)
            while next < 5000 {
                let count = UInt64.random(in: 1...16, using: &random)
                for number in next..<next + count { try sender.trySend(Numbered(number)) }
                for number in next..<next + count {
                    let found = try receiver.tryReceive()
                    #expect(found?.isWhole(number) == true)
                }
                let nothing = try receiver.tryReceive()
                #expect(nothing == nil)
                next += count
            }
            #expect(sender.nextSequence == next)
            #expect(receiver.nextSequence == next)
        }

        @Test("C1 elements of every size and alignment keep their place", arguments: [3, 4, 61, 64, 300]) func alignments(capacity: Int)
            throws
        {
            try roundTrip(of: UInt8.self, capacity) { UInt8(truncatingIfNeeded: $0) }
            try roundTrip(of: Odd.self, capacity) { Odd(a: $0, b: UInt8(truncatingIfNeeded: $0)) }
            try roundTrip(of: Aligned16.self, capacity) { Aligned16(words: SIMD2(repeating: $0)) }
            try roundTrip(of: Aligned32.self, capacity) { Aligned32(words: SIMD4(repeating: $0)) }
            try roundTrip(of: Aligned64.self, capacity) { Aligned64(words: SIMD8(repeating: $0), rest: UInt8(truncatingIfNeeded: $0)) }
            try roundTrip(of: Numbered.self, capacity) { Numbered($0) }
        }

        private func roundTrip<Element: Shareable & Equatable>(of: Element.Type, _ capacity: Int, _ make: @escaping (UInt64) -> Element)
            throws
        {
            let scratch = try Scratch()
            var pair = try ModelledPair(capacity: capacity, options: scratch.options, make)
            var random = SeededRandom.forTest(UInt64(capacity))
            for _ in 0..<2000 {
                switch Int.random(in: 0..<5, using: &random) {
                case 0, 1: try pair.sendOne(ifShorterThan: capacity)
                case 2: try pair.sendBatch(of: UInt64.random(in: 1...20, using: &random))
                case 3: try pair.receiveOne()
                default: try pair.receiveBatch(upTo: Int.random(in: 1...8, using: &random))
                }
                try pair.checkCounts()
            }
            try pair.drain()
        }

        @Test("C3 a queue of capacity n takes n messages, and says full after a bounded number more", arguments: [1, 2, 7, 100, 4096])
        func capacity(capacity: Int) throws {
            let scratch = try Scratch()
            var sender = try Sender<Numbered>(to: "q", capacity: capacity, options: scratch.options)
            var receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
            for _ in 0..<3 {
                var sent = 0
                while sendFailure({ () throws(SendError<Numbered>) in try sender.trySend(Numbered(UInt64(sent))) }) == nil { sent += 1 }
                #expect(sent >= capacity)
                #expect(sent <= capacity + 4096 / 64)  // the ring is a whole number of pages
                let reason = sendFailure { () throws(SendError<Numbered>) in try sender.trySend(Numbered(7)) }
                #expect(reason == .full)
                for number in 0..<sent {
                    let found = try receiver.tryReceive()
                    #expect(found?.isWhole(UInt64(number)) == true)
                }
            }
        }

        @Test("C3 a message that was not sent is handed back") func handedBack() throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var sender = try Sender<UInt64>(to: "q", capacity: 1, options: scratch.options)
            var receiver = try Receiver<UInt64>(from: "q", options: scratch.options)
            var back: SendError<UInt64>?
            for number in 0..<10_000 {
                do { try sender.trySend(UInt64(number)) } catch {
                    back = error
                    break
                }
            }
            let error = try #require(back)
            #expect(error.reason == .full)
            #expect(error.message == sender.nextSequence)
            _ = try receiver.receive()
            try sender.send(error.message)
            do throws(SendError<UInt64>) {
                try sender.send(99, until: .after(.milliseconds(5)))
                Issue.record("there was room")
            } catch {
                #expect(error.reason == .deadline && error.message == 99)
            }
        }
    }
}

/// Both sides of a queue, and what must be in it.
private struct ModelledPair<Element: Shareable & Equatable>: ~Copyable {
    private var sender: Sender<Element>
    private var receiver: Receiver<Element>
    private let make: (UInt64) -> Element
    private var waiting: [UInt64] = []
    private var next: UInt64 = 0

    init(capacity: Int, options: QueueOptions, _ make: @escaping (UInt64) -> Element) throws {
        let sender = try Sender<Element>(to: "q", capacity: capacity, options: options)
        let receiver = try Receiver<Element>(from: "q", options: options)
        self.sender = sender
        self.receiver = receiver
        self.make = make
    }

    mutating func sendOne(ifShorterThan capacity: Int) throws {
        guard waiting.count < capacity else { return }
        try sender.trySend(make(next))
        waiting.append(next)
        next += 1
    }

    mutating func sendBatch(of count: UInt64) throws {
        let elements = (next..<next + count).map(make)
        let sent = try sender.trySend(contentsOf: elements.span)
        waiting += next..<next + UInt64(sent)
        next += UInt64(sent)
    }

    mutating func receiveOne() throws {
        let found = try receiver.tryReceive()
        let expected = waiting.first.map(make)
        #expect(found == expected)
        if found != nil { waiting.removeFirst() }
    }

    mutating func receiveBatch(upTo most: Int) throws {
        guard !waiting.isEmpty else { return }
        var elements: [Element] = []
        var address: UInt = 1
        _ = try receiver.receiveBatch(upTo: most, until: .now) { span in
            unsafe address = span.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
            elements = all(of: span)
        }
        #expect(address % UInt(MemoryLayout<Element>.alignment) == 0)
        #expect((1...most).contains(elements.count))
        let expected = waiting.prefix(elements.count).map(make)
        #expect(elements == expected)
        waiting.removeFirst(elements.count)
    }

    func checkCounts() throws {
        #expect(sender.nextSequence == next)
        #expect(receiver.nextSequence == next - UInt64(waiting.count))
    }

    mutating func drain() throws {
        while !waiting.isEmpty { try receiveOne() }
        try receiveOne()
    }
}

struct Odd: Shareable, Equatable {
    var a: UInt64
    var b: UInt8
}
struct Aligned16: Shareable, Equatable { var words: SIMD2<UInt64> }
struct Aligned32: Shareable, Equatable { var words: SIMD4<UInt64> }
struct Aligned64: Shareable, Equatable {
    var words: SIMD8<UInt64>
    var rest: UInt8
}
