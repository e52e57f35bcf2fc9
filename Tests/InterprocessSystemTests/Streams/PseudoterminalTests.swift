import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 pseudoterminals", .serialized)
struct PseudoterminalTests {
    /// A program in Python with a terminal; killed when its owner ends.
    private final class Program {
        private var child: ChildProcess
        var pid: Int32 { child.pid }

        init(_ script: String, on terminal: FilePath, descriptors: [(FileDescriptor, CInt)] = []) throws {
            child = try ChildProcess(
                starting: "/usr/bin/env", arguments: ["python3", "-S", "-c", script], descriptors: descriptors, terminal: terminal)
        }

        deinit {
            child.send(signal: Signal.kill)
            _ = try? child.wait()
        }

        func kill() { child.send(signal: Signal.kill) }
        func ending() async throws -> ChildProcess.Ending {
            var found: ChildProcess.Ending?
            try await eventually("the end of \(pid)") {
                found = try child.poll()
                return found != nil
            }
            return found!
        }
    }

    /// What is printed up to the end of a line, or up to the end.
    private func line<R: ByteReading & ~Copyable>(_ end: borrowing R) throws -> String {
        var bytes: [UInt8] = []
        while bytes.last != UInt8(ascii: "\n") {
            let one = try blockingRead(end, 1, until: .after(watchdog))
            if one.isEmpty { break }
            bytes += one
        }
        return text(bytes)
    }

    /// The same, in another form of reading.
    private func asyncLine(_ end: borrowing Pseudoterminal) async throws -> String {
        var bytes: [UInt8] = []
        while bytes.last != UInt8(ascii: "\n") { bytes += try await read(end, 1, until: .after(watchdog)) }
        return text(bytes)
    }

    private static let shouting = """
        import os, signal, sys
        print(sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty(), os.getsid(0) == os.getpid() == os.tcgetpgrp(0), *os.get_terminal_size(), flush=True)
        open('/dev/tty', 'w').write('by its name\\n')
        signal.signal(signal.SIGINT, lambda *_: print('interrupted', flush=True))
        signal.signal(signal.SIGWINCH, lambda *_: print('size', *os.get_terminal_size(), flush=True))
        print('ready', flush=True)
        for line in sys.stdin: print(line.strip().upper(), flush=True)
        print('end', flush=True)
        """

    @Test("K1 a program has it as its controlling terminal: lines, echo, ^C, the window's size, the end of input, its own end")
    func purpose() async throws {
        let terminal = try Pseudoterminal.create(size: TerminalSize(rows: 30, columns: 100))
        #expect(isClosedByExec(terminal.descriptor))
        let program = try Program(Self.shouting, on: try terminal.path())
        #expect(try line(terminal) == "True True 100 30\r\n")
        #expect(try await asyncLine(terminal) == "by its name\r\n")
        #expect(try line(terminal) == "ready\r\n")
        try blockingWrite(terminal, Array("hello\n".utf8))
        #expect(try line(terminal) == "hello\r\n", "the echo")
        #expect(try line(terminal) == "HELLO\r\n")
        var mode = try terminal.mode()
        #expect(mode.echoes && mode.collectsLines && mode.makesSignals)
        mode.echoes = false
        try terminal.setMode(mode)
        try blockingWrite(terminal, Array("silent\n".utf8), until: .after(watchdog))
        #expect(try line(terminal) == "SILENT\r\n")
        // Corrected before it ends.
        try await terminal.write(Array("bad\u{7f}\u{7f}\u{7f}good\n".utf8).span)
        #expect(try line(terminal) == "GOOD\r\n")
        try blockingWrite(terminal, [3])
        #expect(try line(terminal) == "interrupted\r\n")
        try terminal.setSize(TerminalSize(rows: 50, columns: 132))
        #expect(try line(terminal) == "size 132 50\r\n")
        #expect(try terminal.size() == TerminalSize(rows: 50, columns: 132))
        try blockingWrite(terminal, [4])
        #expect(try line(terminal) == "end\r\n")
        #expect(try line(terminal) == "")
        #expect(try await program.ending() == .exited(0))
        #expect(try blockingRead(terminal, 9) == [])
        #expect(try tryRead(terminal, 9) == [])
        #expect(try await read(terminal, 9) == [])
    }

    @Test("K1 this side is the program, and Python plays the person; its death is the end")
    func otherDirection() async throws {
        let python = try PeerProcess(
            python: """
                import os, sys, fcntl, struct, termios
                us, them = os.openpty()
                fcntl.ioctl(us, termios.TIOCSWINSZ, struct.pack('HHHH', 10, 20, 0, 0))
                print(os.ttyname(them), flush=True)
                for line in sys.stdin:
                    word = line.split()
                    if word[0] == 'type': os.write(us, word[1].encode() + b'\\n')
                    elif word[0] == 'mode':
                        flags = termios.tcgetattr(us)
                        print(bool(flags[3] & termios.ECHO), bool(flags[3] & termios.ICANON), bool(flags[3] & termios.ISIG), bool(flags[1] & termios.OPOST), flush=True)
                    else: print(os.read(us, 99), flush=True)
                """)
        let path = FilePath(try await python.line())
        let terminal = try Terminal.open(at: path)
        #expect(isClosedByExec(terminal.descriptor))
        #expect(try terminal.size() == TerminalSize(rows: 10, columns: 20))
        try python.send("mode")
        try await python.expect("True True True True")
        try python.send("type typed")
        #expect(text(try blockingRead(terminal, 99)) == "typed\n")
        try python.send("read")
        try await python.expect("b'typed\\r\\n'")
        let before = try terminal.makeRaw()
        try python.send("mode")
        try await python.expect("False False False False")
        try blockingWrite(terminal, Array("raw\n\u{3}".utf8))
        try python.send("read")
        try await python.expect("b'raw\\n\\x03'")
        try terminal.setMode(before)
        try python.send("mode")
        try await python.expect("True True True True")
        var single = before
        (single.echoes, single.collectsLines, single.makesSignals) = (false, true, false)
        try terminal.setMode(single)
        try python.send("mode")
        try await python.expect("False True False True")
        python.kill()
        _ = try await python.ending()
        #expect(try await read(terminal, 9) == [])
        #expect(try blockingRead(terminal, 9) == [])
        let gone = #expect(throws: FacilityError.self) { try blockingWrite(terminal, [1]) }
        #expect(gone?.errno == .ioError && gone?.isOtherSideGone == true)
    }

    @Test("K1 the end of this side hangs up: the session's processes are told by a signal")
    func hangUp() async throws {
        let program: Program
        do {
            let terminal = try Pseudoterminal.create()
            program = try Program("print('ready', flush=True)\nimport time\ntime.sleep(1000)", on: try terminal.path())
            #expect(try line(terminal) == "ready\r\n")
        }
        #expect(try await program.ending() == .signalled(SIGHUP))
    }

    @Test("K1 a killed program is the end, after all that it has printed; who opens the terminal next goes on")
    func death() async throws {
        let terminal = try Pseudoterminal.create()
        #expect(try tryRead(terminal, 9) == nil, "nobody has opened it yet: that is not the end")
        try blockingWrite(terminal, Array("early\n".utf8))
        #expect(try line(terminal) == "early\r\n", "the echo")
        let pipe = try Pipe()
        let program = try Program(
            "import os, time\nos.write(1, b'last words after ' + os.read(0, 99))\nos.write(3, b'.')\ntime.sleep(1000)",
            on: try terminal.path(), descriptors: [(pipe.writing.descriptor, 3)])
        #expect(try blockingRead(pipe.reading, 1) == [46])
        program.kill()
        _ = try await program.ending()
        var printed: [UInt8] = []
        while case let part = try blockingRead(terminal, 4, until: .after(watchdog)), !part.isEmpty { printed += part }
        #expect(text(printed) == "last words after early\r\n")
        let again = try terminal.openTerminal()
        #expect(isClosedByExec(again.descriptor))
        try blockingWrite(again, [65])
        #expect(try blockingRead(terminal, 9) == [65])
        #expect(try tryRead(terminal, 9) == nil)
    }

    @Test("K1 both directions fill up; then waiting ends with the deadline or the task")
    func blocking() async throws {
        final class Sides: Sendable {
            let terminal: Pseudoterminal
            let program: Terminal
            init() throws {
                terminal = try Pseudoterminal.create()
                program = try terminal.openTerminal()
            }
        }
        let sides = try Sides()
        var mode = try sides.terminal.mode().raw
        try sides.terminal.setMode(mode)
        #expect(try tryRead(sides.terminal, 9) == nil && tryRead(sides.program, 9) == nil)
        let late = #expect(throws: FacilityError.self) { _ = try blockingRead(sides.terminal, 9, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        let task = Task {
            let error = await #expect(throws: FacilityError.self) { _ = try await read(sides.terminal, 9) }
            #expect(error?.isCancelled == true)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
        // Each of these bytes takes two on its way to the reader, where ends of lines are made fit for the screen.
        let ends = [UInt8](repeating: 10, count: 999)
        let typed = try fill(sides.terminal, ends)
        #expect(try sides.terminal.tryWrite([1].span) == nil)
        mode = try sides.terminal.mode()
        mode.returnsLines = true
        try sides.terminal.setMode(mode)
        let printed = try fill(sides.program, ends)
        #expect(try sides.program.tryWrite([1].span) == nil)
        let suspended = await #expect(throws: FacilityError.self) {
            try await sides.program.write([1].span, until: after(milliseconds: 5))
        }
        #expect(suspended?.isDeadline == true)
        let writing = Task { try await sides.terminal.write([7].span) }
        var count = 0
        while count < typed + 1 { count += try blockingRead(sides.program, 9999, until: .after(watchdog)).count }
        try await writing.value
        #expect(count == typed + 1)
        count = 0
        while count < printed * 2 { count += try blockingRead(sides.terminal, 9999, until: .after(watchdog)).count }
        #expect(count == printed * 2)
        #expect(try tryRead(sides.terminal, 9) == nil && tryRead(sides.program, 9) == nil)
    }

    @Test("K1 a line has its longest length, and of one byte more the last is lost")
    func longestLine() throws {
        let terminal = try Pseudoterminal.create()
        var mode = try terminal.mode()
        mode.echoes = false
        try terminal.setMode(mode)
        let program = try terminal.openTerminal()
        for more in [0, 1] {
            let line = [UInt8](repeating: 120, count: Terminal.longestLine) + [UInt8](repeating: 121, count: more) + [10]
            try blockingWrite(terminal, line)
            #expect(try blockingRead(program, 9999) == [UInt8](repeating: 120, count: Terminal.longestLine) + [10])
        }
        // A reading of less leaves the rest of the line.
        try blockingWrite(terminal, Array("abc\nd\n".utf8))
        #expect(text(try blockingRead(program, 2)) == "ab")
        #expect(text(try blockingRead(program, 9)) == "c\n")
        #expect(text(try blockingRead(program, 9)) == "d\n")
        try terminal.setSize(TerminalSize(rows: 1 << 20, columns: -1))
        #expect(try program.size() == TerminalSize(rows: 65535, columns: 0))
    }

    @Test("K1 a program's streams can be others than its terminal; a terminal that is not there is an error")
    func spawning() async throws {
        let terminal = try Pseudoterminal.create()
        let pipe = try Pipe()
        let program = try Program(
            "import os, sys\nprint(os.isatty(0), os.isatty(1), os.isatty(2), *sorted(os.listdir('/proc/self/fd'))[:3], file=open('/dev/tty', 'w'))\nprint('out')",
            on: try terminal.path(),
            descriptors: [(pipe.writing.descriptor, 1)])
        let reader = try pipe.keepReading()
        #expect(try line(terminal) == "True False True 0 1 2\r\n")
        #expect(try line(reader) == "out\n")
        #expect(try await program.ending() == .exited(0))
        #expect(throws: Errno.noSuchFileOrDirectory) { _ = try Program("", on: "/dev/pts/nothing") }
    }

    @Test("K1 every errno of the calls' manual pages is told, with what to do, and nothing stays open")
    func errors() throws {
        let terminal = try Pseudoterminal.create()
        let program = try terminal.openTerminal()
        try program.makeRaw()
        let before = try openDescriptorCount()
        expectEach(
            [
                .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noSpace, .resourceTemporarilyUnavailable, .noSuchFileOrDirectory,
                .permissionDenied,
            ], of: "posix_openpt",
            .pseudoterminal
        ) { () throws(FacilityError) in _ = try Pseudoterminal.create() }
        expectEach([.badFileDescriptor, .invalidArgument], of: "unlockpt", .pseudoterminal) { () throws(FacilityError) in
            _ = try Pseudoterminal.create()
        }
        expectEach([.badFileDescriptor, .inappropriateIOCTLForDevice], of: "ptsname", .pseudoterminal) { () throws(FacilityError) in
            _ = try terminal.path()
        }
        expectEach([.tooManyOpenFiles, .ioError, .inappropriateIOCTLForDevice], of: "ioctl(TIOCGPTPEER)", .pseudoterminal) {
            () throws(FacilityError) in _ = try terminal.openTerminal()
        }
        expectEach([.badFileDescriptor, .inappropriateIOCTLForDevice], of: "ioctl(TIOCGWINSZ)", .terminal) { () throws(FacilityError) in
            _ = try program.size()
        }
        expectEach([.badFileDescriptor, .inappropriateIOCTLForDevice], of: "ioctl(TIOCSWINSZ)", .pseudoterminal) {
            () throws(FacilityError) in
            _ = try Pseudoterminal.create(size: TerminalSize(rows: 1, columns: 1))
        }
        expectEach([.badFileDescriptor, .ioError, .inappropriateIOCTLForDevice], of: "tcgetattr", .terminal) { () throws(FacilityError) in
            _ = try program.mode()
        }
        expectEach([.badFileDescriptor, .ioError, .inappropriateIOCTLForDevice], of: "tcsetattr", .terminal) { () throws(FacilityError) in
            try program.makeRaw()
        }
        expectEach([.badFileDescriptor, .ioError, .noSpace], of: "write", .terminal) { () throws(FacilityError) in
            try blockingWrite(program, [1])
        }
        try blockingWrite(terminal, [1])
        expectEach([.badFileDescriptor, .ioError], of: "read", .terminal) { () throws(FacilityError) in _ = try blockingRead(program, 1) }
        expectEach([.noSuchFileOrDirectory, .permissionDenied, .noSuchAddressOrDevice, .ioError], of: "open", .terminal) {
            () throws(FacilityError) in _ = try Terminal.open(at: "/dev/null")
        }
        let null = #expect(throws: FacilityError.self) { _ = try Terminal.open(at: "/dev/null") }
        #expect(null?.errno == .inappropriateIOCTLForDevice && null?.advice.contains("not a terminal") == true)
        let peer = Pseudoterminal(owning: try program.descriptor.duplicate())
        let wrong = #expect(throws: FacilityError.self) { _ = try peer.path() }
        #expect(wrong?.errno == .inappropriateIOCTLForDevice)
        try peer.release().close()
        #expect(try openDescriptorCount() == before)
    }
}
