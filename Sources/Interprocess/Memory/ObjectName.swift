import InterprocessSystem
import SystemPackage

/// The name of an object that processes share: 1 to 32 bytes, letters, digits, `-`, `_` and `.`, the first no `.`.
///
/// Fixed in size and free of pointers, so that it can itself stand in shared memory and be sent over any channel.
///
/// **Layout** 32 bytes of ASCII, the rest zero.
@frozen
public struct ObjectName: Hashable, Sendable, Shareable {
    @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

    /// The most bytes that a name may have.
    public static let maximumLength = 32

    /// - Throws: ``InterprocessError/Code/invalidName``, saying which rule is broken.
    public init(_ text: some StringProtocol) throws(InterprocessError) {
        if let problem = ObjectName.problem(with: text.utf8) {
            throw InterprocessError(.invalidName, "use the name", String(text.prefix(80)), problem)
        }
        words = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { bytes in
            for (index, byte) in text.utf8.enumerated() { unsafe bytes[index] = byte }
        }
    }

    /// A name that no other call has returned or will return, on any machine: 128 random bits of the kernel's, asked for anew each time. So
    /// two children of
    /// a fork get different ones.
    public static func unique() -> ObjectName {
        let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)  // Crockford's: none are mistaken for one another
        var name: [UInt8] = Array("tmp-".utf8)
        for _ in 0..<2 {
            var bits = randomUInt64()
            for _ in 0..<13 {
                name.append(digits[Int(bits & 31)])
                bits >>= 5
            }
        }
        return ObjectName(validated: name)
    }

    init(validated bytes: some Collection<UInt8>) {
        words = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { target in
            for (index, byte) in bytes.enumerated() { unsafe target[index] = byte }
        }
    }

    /// The name in 32 bytes of shared memory; nil if they are not a name.
    init?(sharedBytes bytes: [UInt8]) {
        let text = bytes.prefix { $0 != 0 }
        guard bytes.count == 32, ObjectName.problem(with: text) == nil, bytes.dropFirst(text.count).allSatisfy({ $0 == 0 }) else {
            return nil
        }
        self.init(validated: text)
    }

    var bytes: [UInt8] { unsafe withUnsafeBytes(of: words) { unsafe Array($0) } }

    private static func problem(with text: some Collection<UInt8>) -> String? {
        if text.isEmpty { return "a name has at least one character" }
        if text.count > maximumLength { return "a name has at most \(maximumLength) bytes, this one has \(text.count)" }
        if text.first == UInt8(ascii: ".") { return "a name does not begin with a dot" }
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                continue
            case UInt8(ascii: "/"): return "a name is not a path; choose the directory with --directory or ObjectDirectory"
            default: return "a name has only letters, digits, '-', '_' and '.'"
            }
        }
        return nil
    }

    @inlinable public static func == (a: Self, b: Self) -> Bool { a.words == b.words }

    @inlinable public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

extension ObjectName: CustomStringConvertible {
    public var description: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    /// The name of its file.
    var fileName: FilePath.Component {
        guard let name = FilePath.Component(description) else { preconditionFailure("every name is one of a file") }
        return name
    }
}

extension ObjectName: ExpressibleByStringLiteral {
    /// A name written in the program. A literal that is no name is a mistake of the program's and stops it; for text from elsewhere use
    /// ``init(_:)``.
    public init(stringLiteral value: StaticString) {
        do { self = try ObjectName(value.description) } catch { preconditionFailure(error.description) }
    }
}
