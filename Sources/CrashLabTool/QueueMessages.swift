import Interprocess

/// A message whose every word follows from its number, so that a torn one shows.
struct Numbered: Shareable {
    var number: UInt64
    var words: InlineArray<6, UInt64>

    init(_ number: UInt64) {
        self.number = number
        words = InlineArray { mixed(number, $0) }
    }

    func isWhole(_ expected: UInt64) -> Bool {
        guard number == expected else { return false }
        for index in words.indices where words[index] != mixed(number, index) { return false }
        return true
    }
}

/// Word `index` of the content of message `number` (the finisher of SplitMix64).
func mixed(_ number: UInt64, _ index: Int) -> UInt64 {
    var z = (number &+ 1) &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(index)
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    return z ^ (z >> 27)
}

/// Messages of bytes whose size and content follow from their number.
enum NumberedBytes {
    static let capacity = 2000

    /// Empty ones, small ones, some of several hundred bytes.
    static func size(_ number: UInt64) -> Int {
        let random = mixed(number, 100)
        return Int(random >> 8) % (random & 7 == 0 ? 1 : random & 7 == 1 ? 400 : 60)
    }

    static func fill(_ bytes: inout MutableRawSpan, _ number: UInt64) {
        unsafe bytes.withUnsafeMutableBytes { target in
            for index in target.indices {
                unsafe target[index] = UInt8(truncatingIfNeeded: mixed(number, index / 8) >> UInt64(index % 8 * 8))
            }
        }
    }

    static func make(_ number: UInt64) -> [UInt8] {
        (0..<size(number)).map { UInt8(truncatingIfNeeded: mixed(number, $0 / 8) >> UInt64($0 % 8 * 8)) }
    }

    static func isWhole(_ bytes: RawSpan, _ number: UInt64) -> Bool {
        let expected = make(number)
        return unsafe bytes.withUnsafeBytes { unsafe $0.elementsEqual(expected) }
    }
}
