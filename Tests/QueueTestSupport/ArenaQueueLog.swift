public import Interprocess
import InterprocessSystem

/// What the processes of the storm over a queue in an arena write down, in a segment of its own, so that it outlives them: of each place's numbers, which it was about to append, which it was told are there, and which somebody has taken;
/// and of each taker, whether it is in the middle of taking.
public struct ArenaQueueLog: Sendable {
    public enum Set: Int, Sendable {
        case begun, appended, taken
    }

    public static let (appenders, takers) = (4, 4)
    /// Of an appender.
    public static let most = 1 << 17
    /// To be taken by each taker in the end.
    public static let end = ContainerValue(slot: 255, place: 0, number: 0)
    private static let headSize = 4096

    private let segment: Segment

    public init(creatingIn directory: ObjectDirectory) throws {
        segment = try Segment.create("queue-log", size: Self.headSize + 3 * Self.appenders * Self.most / 8, in: directory)
    }
    public init(openingIn directory: ObjectDirectory) throws { segment = try Segment.open("queue-log", in: directory) }

    private func word(_ place: Int) -> SharedUInt64 { unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + place) } }

    private func word(_ set: Set, _ slot: Int, _ number: Int) -> SharedUInt64 {
        word(Self.headSize + ((set.rawValue * Self.appenders + slot) * Self.most + number) / 64 * 8)
    }

    public func contains(_ set: Set, _ slot: Int, _ number: Int) -> Bool {
        word(set, slot, number).loadAcquire() >> UInt64(number % 64) & 1 != 0
    }

    /// Returns whether it was not there yet.
    public func insert(_ set: Set, _ slot: Int, _ number: Int) -> Bool {
        let bit = 1 << UInt64(number % 64) as UInt64
        return word(set, slot, number).setBits(bit) & bit == 0
    }

    /// The number of the appender's that comes next.
    public func next(_ slot: Int) -> Int { Int(word(slot * 64).loadAcquire()) }
    public func setNext(_ slot: Int, _ number: Int) { word(slot * 64).storeRelease(UInt64(number)) }

    /// Whether a taker is in the middle of taking.
    public func isTaking(_ slot: Int) -> Bool { word(slot * 64 + 8).loadAcquire() != 0 }
    public func setTaking(_ slot: Int, _ isTaking: Bool) { word(slot * 64 + 8).storeRelease(isTaking ? 1 : 0) }
}
