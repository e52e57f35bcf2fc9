public import Interprocess

/// A message whose every word follows from its number, so that a torn one shows.
public struct Numbered: Shareable, Equatable {
    public static let wordCount = 6
    public var number: UInt64
    public var words: InlineArray<6, UInt64>

    public init(_ number: UInt64) {
        self.number = number
        words = InlineArray { index in patternWord(number, index) }
    }

    /// Whether this is all of message `number`, and nothing else.
    public func isWhole(_ number: UInt64) -> Bool {
        guard self.number == number else { return false }
        for index in 0..<Self.wordCount where words[index] != patternWord(number, index) { return false }
        return true
    }

    public static func == (a: Self, b: Self) -> Bool { a.number == b.number && b.isWhole(b.number) == a.isWhole(a.number) }
}

/// Word `index` of the content of message `number`.
public func patternWord(_ number: UInt64, _ index: Int) -> UInt64 {
    var z = number &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(index) &* 0xbf58_476d_1ce4_e5b9 &+ 1
    z = (z ^ (z >> 30)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 29)
}

/// Byte messages whose size and content follow from their number.
public enum NumberedBytes {
    /// The largest size of the messages of single-step tests, of which several must have room in a page.
    public static let smallLimit = 300

    /// The size of message `number`: empty ones, small ones, some large ones, at most `limit`.
    public static func size(_ number: UInt64, limit: Int) -> Int {
        let random = patternWord(number, 1000)
        let bound =
            switch random >> 60 {
            case 0: 1
            case 1: limit + 1
            case 2...4: min(limit, 600) + 1
            default: min(limit, 80) + 1
            }
        return Int(random & 0xffff_ffff) % bound
    }

    public static func fill(_ bytes: inout MutableRawSpan, _ number: UInt64) {
        unsafe bytes.withUnsafeMutableBytes { target in
            let whole = target.count / 8
            for index in 0..<whole { unsafe target.storeBytes(of: patternWord(number, index), toByteOffset: index * 8, as: UInt64.self) }
            for index in whole * 8..<target.count { unsafe target[index] = UInt8(truncatingIfNeeded: patternWord(number, index)) }
        }
    }

    public static func isWhole(_ bytes: RawSpan, _ number: UInt64, limit: Int) -> Bool {
        guard bytes.byteCount == size(number, limit: limit) else { return false }
        return unsafe bytes.withUnsafeBytes { source in
            let whole = source.count / 8
            for index in 0..<whole
            where unsafe source.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) != patternWord(number, index) { return false }
            for index in whole * 8..<source.count where unsafe source[index] != UInt8(truncatingIfNeeded: patternWord(number, index)) {
                return false
            }
            return true
        }
    }

    public static func make(_ number: UInt64, limit: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size(number, limit: limit))
        var elements = bytes.mutableSpan
        var span = unsafe elements.mutableBytes
        fill(&span, number)
        return bytes
    }
}
