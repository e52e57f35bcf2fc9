public import SystemPackage

/// Names of files, which may be any bytes, as text that a terminal may show and from which the name can be had again.
///
/// What is not UTF-8, and what cannot be seen (control characters, formats, other spaces, a space at either end), is written `\x` and two
/// hexadecimal digits for each byte; a backslash is doubled. So different names are different texts. An ``ObjectName`` is its own text.
extension FilePath.Component {
    var printable: String {
        let bytes = bytes
        var text = ""
        var index = 0
        while index < bytes.count {
            var parser = Unicode.UTF8.ForwardParser()
            var rest = bytes[index...].makeIterator()
            guard case .valid(let encoded) = parser.parseScalar(from: &rest) else {
                text += Self.escaped(bytes[index])
                index += 1
                continue
            }
            let scalar = Unicode.UTF8.decode(encoded)
            let isEnd = index == 0 || index + encoded.count == bytes.count
            if scalar == "\\" {
                text += "\\\\"
            } else if Self.isVisible(scalar) || scalar == " " && !isEnd {
                text.unicodeScalars.append(scalar)
            } else {
                for byte in encoded { text += Self.escaped(byte) }
            }
            index += encoded.count
        }
        return text
    }

    /// The name whose ``printable`` text it is, also if more is escaped than need be. A backslash before anything else stands for itself.
    /// Nil if it is no name of a file.
    init?(printable text: String) {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "\\") {
                rest.removeFirst()
            } else if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "x"),
                let value = Self.hexadecimal(rest.dropFirst().prefix(2))
            {
                rest.removeFirst(3)
                bytes.append(value)
                continue
            }
            bytes.append(byte)
        }
        guard !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")) else { return nil }
        unsafe self.init(platformString: bytes.map { CInterop.PlatformChar(bitPattern: $0) } + [0])
        guard kind == .regular else { return nil }
    }

    var bytes: [UInt8] { unsafe withPlatformString { unsafe Array(UnsafeRawBufferPointer(start: $0, count: Self.length($0))) } }

    private static func length(_ text: UnsafePointer<CInterop.PlatformChar>) -> Int {
        var count = 0
        while unsafe text[count] != 0 { count += 1 }
        return count
    }

    private static func escaped(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator, .spaceSeparator: false
        default: true
        }
    }
}

extension ObjectStatus {
    /// ``fileName`` as text for people: what is not UTF-8 or cannot be seen is escaped, as in `\xff`. Different names are different texts.
    public var printableName: String { fileName.printable }
}

extension ObjectDirectory {
    /// The name of a file whose ``ObjectStatus/printableName`` is `text`.
    ///
    /// - Throws: ``InterprocessError`` `invalidName` if there can be no such file, since it is empty or a path.
    public static func fileName(printedAs text: String) throws(InterprocessError) -> FilePath.Component {
        guard let name = FilePath.Component(printable: text) else { throw noFileName(text) }
        return name
    }

    static func noFileName(_ text: String) -> InterprocessError {
        InterprocessError(.invalidName, "use the name", text, "it is not the name of a file in a directory")
    }
}
