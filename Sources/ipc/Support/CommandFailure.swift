import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

let layoutVersion = LayoutTable.version

/// The end of a command that did not do what it should: one line, and a status.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
    let status: Int32

    init(_ description: String, status: Int32 = 1) {
        self.description = description
        self.status = status
    }

    /// Prints the line and ends the process, without the ends of values: what they would close counts as dead to others.
    func end() -> Never {
        Output.standardError("ipc: \(description)\n")
        endProcessAtOnce(status: status)
    }
}

/// Writing to the standard streams, unbuffered, so that nothing is half written when a process is killed.
enum Output {
    /// Writes to standard output.
    ///
    /// - Throws: ``CommandFailure`` if it cannot be written.
    static func write(_ text: String) throws {
        if unsafe StandardStreams.isOutputClosed { throw CommandFailure("standard output is closed") }
        do {
            try writeAll(text, to: .standardOutput)
        } catch {
            throw CommandFailure(describe(error))
        }
    }

    static func standardError(_ text: String) { try? writeAll(text, to: .standardError) }

    private static func writeAll(_ text: String, to file: FileDescriptor) throws(Errno) {
        let bytes = Array(text.utf8)
        try unsafe bytes.span.bytes.writeAll(to: file)
    }

    /// Why standard output cannot be written.
    static func describe(_ error: Errno) -> String {
        switch error {
        case .brokenPipe: "standard output was closed"
        case .fileTooLarge: "cannot write standard output: the file would be larger than this process may make one (ulimit -f)"
        default: "cannot write standard output: \(error)"
        }
    }
}

extension RawSpan {
    func writeAll(to file: FileDescriptor) throws(Errno) {
        try unsafe withUnsafeBytes { (bytes) throws(Errno) in try unsafe file.writeAllWaiting(bytes) }
    }
}

extension StandardStreams {
    /// Makes the standard streams safe: a closed one becomes `/dev/null` before a file of the library's gets its number, and a pipe that
    /// nobody reads, or a file that may not become larger, is an error and not the end. To be called first.
    static func prepare() {
        let closed = fillClosed()
        if closed.contains(.standardInput) { unsafe isInputClosed = true }
        if closed.contains(.standardOutput) { unsafe isOutputClosed = true }
        Signal.ignore(Signal.pipe)
        Signal.ignore(Signal.fileSize)
    }

    /// Set once, before there is a second thread.
    nonisolated(unsafe) private(set) static var isInputClosed = false
    nonisolated(unsafe) private(set) static var isOutputClosed = false
}
