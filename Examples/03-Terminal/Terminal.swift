import InterprocessSystem
import SystemPackage

/// Drives a program that wants to talk with a person: it is given a terminal, and this process plays the person.
///
///     swift run DriveTerminal
@main
struct DriveTerminal {
    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        let terminal = try Pseudoterminal.create(size: TerminalSize(rows: 24, columns: 80))
        var shell = try ChildProcess(
            starting: "/bin/sh", arguments: ["-i"], environment: ["PS1": "> ", "ENV": ""], terminal: try terminal.path())
        // Who types waits until the program says that it is ready: what is typed ahead, ^C throws away.
        try print(upTo: "> ", from: terminal)
        try type("stty size && test -t 0 && echo a terminal\n", to: terminal)
        try print(upTo: "> ", from: terminal)
        try type("cat\n", to: terminal)
        try type("hello\n", to: terminal)
        // The terminal's echo, and cat's.
        for _ in 0..<2 { try print(upTo: "hello\r\n", from: terminal) }
        // ^C ends what runs in front, and not the shell.
        try terminal.write([3].span)
        try print(upTo: "> ", from: terminal)
        try type("exit 7\n", to: terminal)
        try print(upTo: nil, from: terminal)
        Swift.print("the shell ended: \(try shell.wait())")
    }

    static func type(_ line: String, to terminal: borrowing Pseudoterminal) throws { try terminal.write(Array(line.utf8).span) }

    /// Prints what the program prints, up to `end`; nil: up to its end.
    static func print(upTo end: String?, from terminal: borrowing Pseudoterminal) throws {
        var text: [UInt8] = []
        var byte: [UInt8] = [0]
        while end.map({ !text.reversed().starts(with: $0.utf8.reversed()) }) ?? true {
            var span = byte.mutableSpan
            if try terminal.read(into: &span, until: .after(.seconds(30))) == 0 { break }
            text += byte
        }
        try FileDescriptor.standardOutput.writeAll(text)
    }
}
