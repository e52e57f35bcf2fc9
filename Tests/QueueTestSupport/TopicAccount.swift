public import Interprocess
import InterprocessSystem

/// What the processes of a topic's soak write down: for each stream how far its publisher has come, and for each of its messages which number it has in the topic, and whether it may not have been published.
public struct TopicAccount: Sendable {
    public static let streams = SoakAccount.streams
    private static let header = 4096

    public let segment: Segment
    /// The number of each stream's last message; they begin with 1.
    public let last: UInt64

    private init(_ segment: Segment) {
        self.segment = segment
        last = UInt64((segment.header.capacity - Self.header) / Self.streams / 8 - 1)
    }

    public static func create(in directory: ObjectDirectory, last: Int) throws -> TopicAccount {
        TopicAccount(try Segment.create("account", size: header + streams * 8 * (last + 1), in: directory))
    }

    public static func open(in directory: ObjectDirectory) throws -> TopicAccount {
        TopicAccount(try Segment.open("account", in: directory))
    }

    private func word(_ offset: Int) -> SharedUInt64 { unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + offset) } }
    private func message(_ stream: Int, _ number: UInt64) -> SharedUInt64 {
        precondition(number <= last && stream < Self.streams)
        return word(Self.header + (stream * Int(last + 1) + Int(number)) * 8)
    }

    public func intent(_ stream: Int) -> UInt64 { word(stream * 64).loadAcquire() }
    public func done(_ stream: Int) -> UInt64 { word(stream * 64 + 8).loadAcquire() }
    public func willPublish(_ stream: Int, _ number: UInt64) { word(stream * 64).storeRelease(number) }
    public func hasPublished(_ stream: Int, _ number: UInt64) {
        message(stream, number).setBits(1)
        word(stream * 64 + 8).storeRelease(number)
    }

    /// Whether nobody knows if it was published: its publisher was killed.
    public func isDoubtful(_ stream: Int, _ number: UInt64) -> Bool { message(stream, number).loadAcquire() & 1 == 0 }

    /// Writes down which number a message has in the topic. False: somebody else has found another.
    public func number(_ stream: UInt64, _ number: UInt64, _ sequence: UInt64) -> Bool {
        let word = message(Int(stream), number)
        let before = word.setBits((sequence + 1) << 1)
        return before >> 1 == 0 || before >> 1 == sequence + 1
    }

    /// Which number a message has in the topic; nil if nobody has received it.
    public func sequence(_ stream: Int, _ number: UInt64) -> UInt64? {
        let word = message(stream, number).loadAcquire() >> 1
        return word == 0 ? nil : word - 1
    }

    /// Messages that subscriber `index` has received, and missed, with all its successors.
    public func countReceived(_ index: Int, missed: UInt64) {
        word(1024 + index * 64).add(1)
        word(1024 + index * 64 + 8).add(missed)
    }
    public func received(_ index: Int) -> UInt64 { word(1024 + index * 64).loadAcquire() }
    public func missed(_ index: Int) -> UInt64 { word(1024 + index * 64 + 8).loadAcquire() }
}
