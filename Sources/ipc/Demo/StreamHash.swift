/// XXH64 with seed 0, of a stream that comes in pieces; ``digest`` may be asked for after each.
///
/// **Source** Yann Collet's xxHash specification, version 0.1.1; `xxhsum -H1` prints the same number.
struct StreamHash {
    private static let p1: UInt64 = 0x9e37_79b1_85eb_ca87, p2: UInt64 = 0xc2b2_ae3d_27d4_eb4f, p3: UInt64 = 0x1656_67b1_9e37_79f9
    private static let p4: UInt64 = 0x85eb_ca77_c2b2_ae63, p5: UInt64 = 0x27d4_eb2f_1656_67c5

    private var a = p1 &+ p2, b = p2, c: UInt64 = 0, d = 0 &- p1
    private var count: UInt64 = 0
    /// The bytes after the last multiple of 32.
    private var rest: [UInt8] = []

    private static func rotated(_ x: UInt64, _ bits: UInt64) -> UInt64 { x << bits | x >> (64 - bits) }
    private static func round(_ x: UInt64, _ word: UInt64) -> UInt64 { rotated(x &+ word &* p2, 31) &* p1 }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        count += UInt64(bytes.count)
        guard !rest.isEmpty else { return unsafe mix(bytes) }
        let missing = min(32 - rest.count, bytes.count)
        unsafe rest.append(contentsOf: bytes[..<missing])
        guard rest.count == 32 else { return }
        let block = rest
        rest = []
        unsafe block.withUnsafeBytes { unsafe mix($0) }
        unsafe mix(UnsafeRawBufferPointer(rebasing: bytes[missing...]))
    }

    private mutating func mix(_ bytes: UnsafeRawBufferPointer) {
        var (a, b, c, d) = (a, b, c, d)
        let whole = bytes.count & ~31
        var offset = 0
        while offset < whole {
            unsafe a = Self.round(a, bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            unsafe b = Self.round(b, bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
            unsafe c = Self.round(c, bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self))
            unsafe d = Self.round(d, bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self))
            offset += 32
        }
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
        if whole < bytes.count { rest = unsafe Array(bytes[whole...]) }
    }

    /// The hash of everything so far.
    var digest: UInt64 {
        var hash = Self.p5
        if count >= 32 {
            hash = Self.rotated(a, 1) &+ Self.rotated(b, 7) &+ Self.rotated(c, 12) &+ Self.rotated(d, 18)
            for lane in [a, b, c, d] { hash = (hash ^ Self.round(0, lane)) &* Self.p1 &+ Self.p4 }
        }
        hash &+= count
        var rest = rest[...]
        while rest.count >= 8 {
            hash = Self.rotated(hash ^ Self.round(0, Self.word(rest.prefix(8))), 27) &* Self.p1 &+ Self.p4
            rest = rest.dropFirst(8)
        }
        if rest.count >= 4 {
            hash = Self.rotated(hash ^ Self.word(rest.prefix(4)) &* Self.p1, 23) &* Self.p2 &+ Self.p3
            rest = rest.dropFirst(4)
        }
        for byte in rest { hash = Self.rotated(hash ^ UInt64(byte) &* Self.p5, 11) &* Self.p1 }
        hash = (hash ^ hash >> 33) &* Self.p2
        hash = (hash ^ hash >> 29) &* Self.p3
        return hash ^ hash >> 32
    }

    private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
