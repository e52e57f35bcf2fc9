@_spi(Reflection) import Swift

/// What a segment's header says of the type of its elements, and what an opener compares.
public struct ElementDescription: Sendable, Equatable {
    /// The type's ``Shareable/sharedIdentifier``, at most 128 bytes; empty for bytes of any number.
    public var identifier: String
    /// Bytes from one element to the next; 0 for bytes of any number.
    public var size: Int
    public var alignment: Int

    /// Byte messages of any size.
    public static let bytes = ElementDescription(identifier: "", size: 0, alignment: 8)

    public init<Element: Shareable>(of type: Element.Type) {
        if let field = ElementDescription.pointerField(in: type) {
            preconditionFailure(
                "\(type) is declared Shareable but its field '\(field)' is a pointer, which means nothing in another process; store an offset or an index"
            )
        }
        self.init(
            identifier: String(decoding: Element.sharedIdentifier.utf8.prefix(128), as: UTF8.self), size: MemoryLayout<Element>.stride,
            alignment: MemoryLayout<Element>.alignment)
    }

    init(identifier: String, size: Int, alignment: Int) {
        self.identifier = identifier
        self.size = size
        self.alignment = alignment
    }

    /// FNV-1a, 64 bits, of the identifier.
    var hash: UInt64 { fnv1a(identifier.utf8) }

    /// For messages: "Reading (8 bytes)".
    public var summary: String { size == 0 ? "bytes" : "\(identifier) (\(size) bytes, aligned to \(alignment))" }

    /// The path of the first field that is a pointer or holds one.
    private static func pointerField(in type: any Any.Type, depth: Int = 0) -> String? {
        var found: String?
        guard depth < 16 else { return nil }
        _ = unsafe _forEachField(of: type) { name, _, fieldType, _ in
            let label = unsafe String(cString: name)
            if unsafe fieldType is any _Pointer.Type || fieldType == OpaquePointer.self || fieldType == UnsafeRawBufferPointer.self
                || fieldType == UnsafeMutableRawBufferPointer.self || fieldType == CVaListPointer.self || fieldType == ObjectIdentifier.self
            {
                found = label
            } else if let inner = wrappedType(of: fieldType), unsafe inner is any _Pointer.Type || inner == OpaquePointer.self {
                found = label
            } else if let inner = pointerField(in: fieldType, depth: depth + 1) {
                found = "\(label).\(inner)"
            }
            return found == nil
        }
        return found
    }

    private static func wrappedType(of type: any Any.Type) -> (any Any.Type)? { (type as? any OptionalProtocol.Type)?.wrapped }
}

private protocol OptionalProtocol { static var wrapped: any Any.Type { get } }
extension Optional: OptionalProtocol { static var wrapped: any Any.Type { Wrapped.self } }

/// The Fowler–Noll–Vo hash, variant 1a, 64 bits.
func fnv1a(_ bytes: some Sequence<UInt8>) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
