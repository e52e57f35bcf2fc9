public import Interprocess
import InterprocessSystem

/// A value of the storm over containers: who put it there, where, and its number, so that a torn one, one of another key and one of an earlier time show.
public struct ContainerValue: Shareable, Equatable {
    public var first: UInt64
    public var between: InlineArray<6, UInt64>
    public var last: UInt64

    public init(slot: Int, place: Int, number: UInt64) {
        let word = UInt64(slot) << 56 | UInt64(place) << 48 | number
        (first, between, last) = (word, InlineArray(repeating: word), ~word)
    }

    public var number: UInt64 { first & 0xffff_ffff_ffff }
    public func isWhole(slot: Int, place: Int) -> Bool { isWhole && first >> 48 == UInt64(slot) << 8 | UInt64(place) }
    public var isWhole: Bool {
        for index in 0..<6 where between[index] != first { return false }
        return first == ~last
    }
    public static func == (a: Self, b: Self) -> Bool { a.first == b.first && a.last == b.last }
}

/// What one place in the storm's processes writes down of its changes, in a segment of its own, so that it outlives the process: the number that it is about to give a place, and the one that it was told is there.
public struct ContainerLog: Sendable {
    /// Keys of the dictionary, then the array's element, then the string.
    public static let keys = 16
    public static let element = keys
    public static let string = keys + 1
    public static let places = keys + 2

    private let segment: Segment

    public static func create(_ slot: Int, in directory: ObjectDirectory) throws -> ContainerLog {
        ContainerLog(segment: try Segment.create(ObjectName("log-\(slot)"), size: 4096, in: directory))
    }
    public static func open(_ slot: Int, in directory: ObjectDirectory) throws -> ContainerLog {
        ContainerLog(segment: try Segment.open(ObjectName("log-\(slot)"), in: directory))
    }

    private func word(_ index: Int) -> SharedUInt64 { unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + index * 8) } }

    /// 0: none.
    public func intent(_ place: Int) -> UInt64 { word(place * 2).loadAcquire() }
    public func done(_ place: Int) -> UInt64 { word(place * 2 + 1).loadAcquire() }
    public func begin(_ place: Int, _ number: UInt64) { word(place * 2).storeRelease(number) }
    public func end(_ place: Int, _ number: UInt64) {
        word(place * 2 + 1).storeRelease(number)
        word(place * 2).storeRelease(number)
    }

    public static func key(_ slot: Int, _ place: Int) -> String { "\(slot) \(place) " + String(repeating: "k", count: place * 7) }
}
