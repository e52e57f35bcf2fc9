/// Random words for what containers consist of: the words that a program could write there by mistake, or on purpose.
public struct ContainerScribble {
    /// Of the arena.
    public static let limit = 4 << 20

    public var random: SeededRandom
    /// Of named objects, parts, entries; multiples of 8.
    public let ranges: [(offset: Int, size: Int)]

    public init(seed: UInt64, ranges: [(offset: Int, size: Int)]) {
        (random, self.ranges) = (SeededRandom(seed: seed), ranges)
    }

    /// - Parameter peers: words of claims, of who lives.
    public mutating func next(peers: [UInt64]) -> (place: Int, value: UInt64) {
        let range = ranges[Int.random(in: 0..<ranges.count, using: &random)]
        // Most of what has a meaning stands at the beginning.
        let words = min(range.size / 8, Bool.random(using: &random) ? 3 : range.size / 8)
        let place = range.offset + 8 * Int.random(in: 0..<max(1, words), using: &random)
        let bits = random.next()
        let other = UInt64(ranges[Int.random(in: 0..<ranges.count, using: &random)].offset)
        let value: UInt64 =
            switch Int.random(in: 0..<12, using: &random) {
            case 0: 0
            case 1: .max - bits & 1
            case 2: bits & 0xff
            // A link to another block, to its middle, to itself.
            case 3, 4: other >> 4
            case 5: (other + 16 * (bits & 7)) >> 4
            case 6: UInt64(place) >> 4
            // One that is pending, by some heap.
            case 7: 1 << 63 | (bits & 0x7fff) << 48 | (bits >> 20 & 3) << 40 | other >> 4
            // A length, a number of elements, an order.
            case 8: 1 << (bits & 63)
            case 9: bits & 0xffff_ffff
            case 10: peers.isEmpty ? bits : peers[Int(bits % UInt64(peers.count))]
            default: bits
            }
        return (place, value)
    }
}
