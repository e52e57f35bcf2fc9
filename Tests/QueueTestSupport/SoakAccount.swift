public import Interprocess
import InterprocessSystem

/// What the processes of a soak write down: for each stream of messages how far its sender has come, and for each message whether it was received.
///
/// A stream's sender is replaced when it is killed; the successor leaves the number out that the dead one may or may not have sent.
public struct SoakAccount: Sendable {
    public static let streams = 8
    private static let header = 4096

    public let segment: Segment
    /// Messages of each stream, at most.
    public let limit: Int

    private init(_ segment: Segment) {
        self.segment = segment
        limit = (segment.header.capacity - Self.header) / Self.streams / 2 * 8
    }

    public static func create(in directory: ObjectDirectory, limit: Int) throws -> SoakAccount {
        let bytes = (limit + 63) / 64 * 8
        return SoakAccount(try Segment.create("account", size: header + 2 * streams * bytes, in: directory))
    }

    public static func open(in directory: ObjectDirectory) throws -> SoakAccount { SoakAccount(try Segment.open("account", in: directory)) }

    private func word(_ offset: Int) -> SharedUInt64 { unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + offset) } }
    private func word32(_ offset: Int) -> SharedUInt32 { unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress! + offset) } }

    /// The number that a stream's sender is about to send, and the one that it has sent; from 1 on.
    public func intent(_ stream: Int) -> UInt64 { word(stream * 64).loadAcquire() }
    public func done(_ stream: Int) -> UInt64 { word(stream * 64 + 8).loadAcquire() }
    public func willSend(_ stream: Int, _ number: UInt64) { word(stream * 64).storeRelease(number) }
    public func hasSent(_ stream: Int, _ number: UInt64) { word(stream * 64 + 8).storeRelease(number) }

    private func bit(_ stream: Int, _ number: UInt64, doubtful: Bool) -> (word: SharedUInt32, mask: UInt32) {
        precondition(number < UInt64(limit) && stream < Self.streams)
        let offset = Self.header + ((doubtful ? Self.streams : 0) + stream) * (limit / 8) + Int(number / 32) * 4
        return (word32(offset), 1 << UInt32(number % 32))
    }

    /// Marks a message as received; whether it was already.
    public func receive(_ stream: Int, _ number: UInt64) -> Bool {
        let (word, mask) = bit(stream, number, doubtful: false)
        return word.setBits(mask) & mask != 0
    }

    public func isReceived(_ stream: Int, _ number: UInt64) -> Bool {
        let (word, mask) = bit(stream, number, doubtful: false)
        return word.loadAcquire() & mask != 0
    }

    /// Nobody knows whether it was sent.
    public func doubt(_ stream: Int, _ number: UInt64) {
        let (word, mask) = bit(stream, number, doubtful: true)
        word.setBits(mask)
    }

    public func isDoubtful(_ stream: Int, _ number: UInt64) -> Bool {
        let (word, mask) = bit(stream, number, doubtful: true)
        return word.loadAcquire() & mask != 0
    }

    /// Messages that were received more than once; whether a receiver may do that (it was killed before) is the test's to know.
    public func countRepeated() { word32(Self.streams * 64).add(1) }
    public var repeated: Int { Int(word32(Self.streams * 64).loadAcquire()) }

    /// What became of everything that was sent.
    public struct Balance: Sendable {
        /// Received, or not, of what was sent for certain.
        public var received = 0, missing = 0
        /// Of what may have been sent.
        public var doubtfulReceived = 0, doubtfulMissing = 0
    }

    /// O(messages).
    public var balance: Balance {
        var balance = Balance()
        for stream in 0..<Self.streams {
            let (intent, done) = (intent(stream), done(stream))
            guard intent > 0 else { continue }
            for number in 1...intent {
                switch (number > done || isDoubtful(stream, number), isReceived(stream, number)) {
                case (false, true): balance.received += 1
                case (false, false): balance.missing += 1
                case (true, true): balance.doubtfulReceived += 1
                case (true, false): balance.doubtfulMissing += 1
                }
            }
        }
        return balance
    }
}

/// A message of a soak, of which every word follows from its number.
public struct SoakMessage: Shareable {
    public var stream: UInt64
    public var number: UInt64
    private var words: InlineArray<4, UInt64>

    public init(_ stream: Int, _ number: UInt64) {
        self.stream = UInt64(stream)
        self.number = number
        words = InlineArray { Self.mixed(UInt64(stream), number, $0) }
    }

    public var isWhole: Bool {
        guard stream < UInt64(SoakAccount.streams) else { return false }
        for index in words.indices where words[index] != Self.mixed(stream, number, index) { return false }
        return true
    }

    private static func mixed(_ stream: UInt64, _ number: UInt64, _ index: Int) -> UInt64 {
        (number &* 8 &+ stream &+ 1) &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(index)
    }
}
