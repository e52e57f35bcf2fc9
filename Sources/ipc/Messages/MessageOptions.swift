import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// What `ipc publish`, `subscribe`, `call` and `serve` are told alike.
struct MessageOptions: ParsableArguments {
    @Argument(help: "The topic's or service's name.")
    var name: String
    @OptionGroup var location: DirectoryOption
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Give up after so long (default: never). 'publish' and 'subscribe' begin anew with each message.", valueName: "seconds"),
        transform: parseSeconds)
    var timeout: Duration?

    var deadline: Deadline { timeout.map { .after($0) } ?? .never }

    /// Opens what is there, however large its messages may be, or makes it with room for messages of `size` bytes.
    ///
    /// - Parameter open: opens it if `Existence` is `mustExist`, for messages of at least so many bytes.
    func open<Object: ~Copyable>(size: Int?, default: Int, _ open: (Existence, Int) throws -> Object) throws -> Object {
        if let size { return try open(.any, size) }
        do { return try open(.mustExist, 1) } catch let error as InterprocessError where error.code == .notFound {}
        return try open(.any, `default`)
    }
}

/// The exit statuses of these commands.
enum MessageStatus {
    static let failed: Int32 = 1
    static let peerDied: Int32 = 3
    static let timeout: Int32 = 4
    static let refused: Int32 = 6
    static let noServer: Int32 = 7
}

/// Messages of standard input: its lines, or all of it as one.
struct MessageInput: ~Copyable {
    private let isWhole: Bool
    private let limit: Int
    private var bytes: [UInt8] = []
    /// Where the first byte stands that was not handed out.
    private var start = 0
    private var isAtEnd = false
    private var number = 0

    /// - Parameter limit: the largest message; nothing is kept that is much larger.
    init(isWhole: Bool, limit: Int) throws(CommandFailure) {
        if unsafe StandardStreams.isInputClosed { throw CommandFailure("standard input is closed; there is nothing to read") }
        (self.isWhole, self.limit) = (isWhole, limit)
    }

    /// The next message, without its newline; nil at the end. Blocks until it is whole.
    mutating func next() throws(CommandFailure) -> [UInt8]? {
        var searched = start
        while true {
            let end = isWhole ? nil : bytes[searched...].firstIndex(of: UInt8(ascii: "\n"))
            searched = end ?? bytes.count
            guard searched - start <= limit else {
                throw CommandFailure(
                    "\(isWhole ? "standard input" : "line \(number + 1)") is larger than the \(byteCount(limit)) that a message may have; make it with a larger --size"
                )
            }
            if let end { return take(until: end, and: 1) }
            if isAtEnd { return isWhole && number == 0 || searched > start ? take(until: searched, and: 0) : nil }
            searched -= start
            try readMore()
            searched += start
        }
    }

    private mutating func take(until end: Int, and newline: Int) -> [UInt8] {
        defer { (start, number) = (end + newline, number + 1) }
        return Array(bytes[start..<end])
    }

    private mutating func readMore() throws(CommandFailure) {
        bytes.removeFirst(start)
        start = 0
        let size = 1 << 16, count = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: size))
        do {
            let read = try unsafe bytes.withUnsafeMutableBytes {
                try unsafe FileDescriptor.standardInput.readWaiting(into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
            }
            bytes.removeLast(size - read)
            isAtEnd = read == 0
        } catch {
            throw CommandFailure("cannot read standard input: \(error)")
        }
    }
}

extension Output {
    /// Writes a message of another process, and a newline behind it if it is a line. On a terminal, nothing in it does anything to that.
    static func write(message bytes: RawSpan, isLine: Bool) throws(CommandFailure) {
        if unsafe StandardStreams.isOutputClosed { throw CommandFailure("standard output is closed") }
        var copy = unsafe bytes.withUnsafeBytes { unsafe Array($0) }
        if isLine {
            if FileDescriptor.standardOutput.isTerminal {
                for index in copy.indices where copy[index] < 0x20 && copy[index] != 9 || copy[index] == 0x7f {
                    copy[index] = UInt8(ascii: "?")
                }
            }
            copy.append(UInt8(ascii: "\n"))
        }
        do throws(Errno) { try unsafe copy.span.bytes.writeAll(to: .standardOutput) } catch { throw CommandFailure(describe(error)) }
    }
}
