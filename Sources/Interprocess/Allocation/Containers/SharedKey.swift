/// What can be a key of a ``SharedDictionary``: it stands in shared memory as bytes, and two keys are the same if their bytes are.
///
/// ```swift
/// struct Place: SharedKey {
///     var row: UInt16, column: UInt16
///     static var sharedKeyIdentifier: String { "Place" }
///     func withKeyBytes<R>(_ body: (RawSpan) -> R) -> R { (UInt32(row) << 16 | UInt32(column)).withKeyBytes(body) }
///     init?(keyBytes: RawSpan) {
///         guard let both = UInt32(keyBytes: keyBytes) else { return nil }
///         (row, column) = (UInt16(both >> 16), UInt16(truncatingIfNeeded: both))
///     }
/// }
/// ```
///
/// Strings are: their UTF-8, so that two that only look alike are different keys. Integers are, and arrays of bytes.
public protocol SharedKey: Sendable {
    /// The name by which two programs recognise the type as the same.
    static var sharedKeyIdentifier: String { get }
    /// Calls `body` with the bytes, at most ``SharedDictionary/maximumKeyLength``.
    func withKeyBytes<R>(_ body: (RawSpan) -> R) -> R
    /// The key with these bytes, which come from shared memory; nil: there is none.
    init?(keyBytes: RawSpan)
}

extension String: SharedKey {
    public static var sharedKeyIdentifier: String { "String" }

    public func withKeyBytes<R>(_ body: (RawSpan) -> R) -> R {
        var text = self
        return text.withUTF8 { unsafe body($0.span.bytes) }
    }

    /// Nil if they are no UTF-8.
    public init?(keyBytes: RawSpan) {
        let text = unsafe keyBytes.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
        guard let text else { return nil }
        self = text
    }
}

extension Array: SharedKey where Element == UInt8 {
    public static var sharedKeyIdentifier: String { "[UInt8]" }
    public func withKeyBytes<R>(_ body: (RawSpan) -> R) -> R { unsafe body(span.bytes) }
    public init?(keyBytes: RawSpan) { self = unsafe keyBytes.withUnsafeBytes { unsafe Array($0) } }
}

extension FixedWidthInteger where Self: BitwiseCopyable & Sendable {
    public static var sharedKeyIdentifier: String { String(describing: Self.self) }

    public func withKeyBytes<R>(_ body: (RawSpan) -> R) -> R {
        unsafe withUnsafeBytes(of: self) { unsafe body($0.bytes) }
    }

    /// Nil if there are more or fewer than it has.
    public init?(keyBytes: RawSpan) {
        guard keyBytes.byteCount == MemoryLayout<Self>.size else { return nil }
        self = unsafe keyBytes.unsafeLoadUnaligned(as: Self.self)
    }
}
extension Int: SharedKey {}
extension Int8: SharedKey {}
extension Int16: SharedKey {}
extension Int32: SharedKey {}
extension Int64: SharedKey {}
extension UInt: SharedKey {}
extension UInt8: SharedKey {}
extension UInt16: SharedKey {}
extension UInt32: SharedKey {}
extension UInt64: SharedKey {}

/// The hash of a key's bytes: the same in all processes, and for each dictionary another, so that nobody who chooses keys can make them collide.
enum KeyHash {
    /// Each 8 bytes are multiplied in, and both halves of the product kept, as in wyhash (Wang Yi).
    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        var state = seed ^ UInt64(bytes.count)
        var place = 0
        while place + 8 <= bytes.count {
            state = fold(state ^ (unsafe bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)), 0x9e37_79b9_7f4a_7c15)
            place += 8
        }
        var last: UInt64 = 0
        while place < bytes.count {
            last = unsafe last << 8 | UInt64(bytes[place])
            place += 1
        }
        state = fold(state ^ last, 0xbf58_476d_1ce4_e5b9)
        return fold(state ^ seed, 0x94d0_49bb_1331_11eb)
    }

    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (high, low) = a.multipliedFullWidth(by: b)
        return high ^ low
    }
}
