import InterprocessSystem

/// A bit for each of a number of places: those that are set say which may be free. It is clear only of places that are not, or whose change is just going on.
///
/// Who frees a place sets its bit unless it is set; who finds a place taken clears its bit, and looks once more.
///
/// **Memory order** the place's state and the bits are changed by sequentially consistent read-modify-writes, each before the look at the other.
/// **Death** between clearing a bit and the second look, or between freeing a place and setting its bit, names nobody: who repairs sets all bits. A process that is stopped there hides one
/// place, and has none of those that it looked for.
@safe
struct FreeHints: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    let count: Int

    init(at base: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    static func byteCount(_ count: Int) -> Int { (count + 31) / 32 * MemoryLayout<UInt32>.stride }

    private var words: Int { (count + 31) / 32 }

    @inline(__always)
    private func word(_ index: Int) -> SharedUInt32 {
        precondition(index >= 0 && index < words)
        return unsafe SharedUInt32(at: base + index &* MemoryLayout<UInt32>.stride)
    }

    @inline(__always)
    func set(_ index: Int) {
        let (word, bit) = (word(index / 32), 1 << UInt32(index % 32) as UInt32)
        if word.loadSequential() & bit == 0 { word.setBits(bit) }
    }

    func setAll() { for index in 0..<count { set(index) } }

    /// What came of an attempt to claim a place.
    enum Attempt<Claim> {
        case claimed(Claim)
        case taken
        /// It is free, but cannot be had now; the bit stays.
        case passed
    }

    /// The first place from `start` on that `claim` gets. O(count / 32), and O(1) for each set bit.
    ///
    /// - Parameter claim: looks at the place's state by a sequentially consistent load.
    @inline(__always)
    func search<Claim>(from start: Int, _ claim: (Int) -> Attempt<Claim>) -> Claim? {
        for step in 0...words {
            let index = (start / 32 + step) % words
            var bits = word(index).loadSequential()
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                bits &= bits &- 1
                let place = index * 32 + bit
                guard place < count else { break }
                switch claim(place) {
                case .claimed(let claimed): return claimed
                case .passed: continue
                case .taken:
                    // Who frees it sets the bit unless it is set: so after clearing it there is one look more.
                    word(index).clearBits(1 << UInt32(bit))
                    switch claim(place) {
                    case .claimed(let claimed): return claimed
                    case .passed: set(place)
                    case .taken: continue
                    }
                }
            }
        }
        return nil
    }
}
