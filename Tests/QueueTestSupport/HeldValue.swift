public import Interprocess

/// What processes hold together in tests; a torn one shows.
public struct HeldValue: Shareable {
    public let first: UInt64
    public let between: InlineArray<10, UInt64>
    public let last: UInt64

    public init(_ number: UInt64) { (first, between, last) = (number, InlineArray(repeating: number), ~number) }
    public var isWhole: Bool { first == ~last && between[0] == first && between[9] == first }
}

/// Where the storm's processes write tickets for others.
public struct HeldBoard: Shareable {
    public static let count = 24
    public var tickets: InlineArray<24, UInt64>
}
