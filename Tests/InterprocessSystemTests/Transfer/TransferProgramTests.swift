import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K6 transfer between programs", .serialized)
struct TransferProgramTests {
    // By names of their own: in an asynchronous function the asynchronous form would be chosen.
    private func sendFile<W: ByteWriting & ~Copyable>(
        _ file: FileDescriptor, to end: borrowing W, at offset: Int, _ count: Int, until deadline: MonotonicInstant? = nil
    ) throws(FacilityError) -> Int {
        if let deadline {
            try end.sendFile(file, at: offset, count: count, until: deadline)
        } else {
            try end.sendFile(file, at: offset, count: count)
        }
    }
    private func splice(_ reader: borrowing PipeReader, to file: FileDescriptor, _ count: Int, until deadline: MonotonicInstant? = nil)
        throws(FacilityError) -> Int
    {
        if let deadline { try reader.splice(to: file, count: count, until: deadline) } else { try reader.splice(to: file, count: count) }
    }
    private func tee(_ reader: borrowing PipeReader, to writer: borrowing PipeWriter, _ count: Int) throws(FacilityError) -> Int {
        try reader.tee(to: writer, count: count)
    }

    /// Sends all of a file; returns how much went, before it was told that the other side is gone.
    private func sendAll(
        _ file: FileDescriptor, _ count: Int, to stream: borrowing TcpStream, _ form: WaitingForm
    ) async throws -> (sent: Int, error: FacilityError?) {
        var sent = 0
        do throws(FacilityError) {
            while sent < count {
                switch form {
                case .bare: sent += try sendFile(file, to: stream, at: sent, count - sent)
                case .deadline: sent += try sendFile(file, to: stream, at: sent, count - sent, until: .after(watchdog))
                case .task: sent += try await stream.sendFile(file, at: sent, count: count - sent)
                }
            }
        } catch {
            return (sent, error)
        }
        return (sent, nil)
    }

    /// A program that is connected by TCP, as `s`.
    private func connect(_ python: PeerProcess) async throws -> TcpStream {
        let listener = try TcpListener.create(at: .here())
        try await python.does("s = socket.create_connection(('127.0.0.1', \(try listener.localAddress().port)))")
        return try blockingAccept(listener, until: .after(watchdog))
    }

    private func blockingAccept(_ listener: borrowing TcpListener, until deadline: MonotonicInstant) throws(FacilityError) -> TcpStream {
        try listener.accept(until: deadline)
    }

    @Test(
        "K6 a file goes by TCP, waits for the other program to read, and is told of its death in the middle",
        arguments: WaitingForm.allCases)
    func deathInTheMiddle(_ form: WaitingForm) async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let size = 32 << 20
        let file = try MemoryFile.make(named: "large", size: size)
        let python = try PeerProcess(obeying: [])
        let stream = try await connect(python)
        try python.releases(form, by: "drain(s.fileno(), \(size))")
        let whole = try await sendAll(file.descriptor, size, to: stream, form)
        #expect(whole.sent == size && whole.error == nil)
        try await python.isDone()
        try python.releases(form, by: "drain(s.fileno(), 1000000); asleep(); die()")
        let part = try await sendAll(file.descriptor, size, to: stream, form)
        #expect((1_000_000..<size).contains(part.sent))
        #expect(part.error?.isOtherSideGone == true)
        #expect(try await python.ending() == .signalled(Signal.kill))
    }

    @Test("K6 to a program that was killed before, no file goes by TCP")
    func deathBefore() async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let file = try MemoryFile.make(named: "file", size: 4096)
        let python = try PeerProcess(obeying: [])
        let stream = try await connect(python)
        try await python.isKilled()
        var last: FacilityError?
        // The first bytes only bring the other side's word that nobody is there.
        try await eventually("the error") {
            do throws(FacilityError) {
                _ = try sendFile(file.descriptor, to: stream, at: 0, 1)
            } catch {
                last = error
            }
            return last != nil
        }
        #expect(last?.isOtherSideGone == true)
        let tried = #expect(throws: FacilityError.self) { _ = try stream.trySendFile(file.descriptor, at: 0, count: 1) }
        #expect(tried?.isOtherSideGone == true)
    }

    @Test("K6 splicing waits until another program writes, and until it reads", arguments: [false, true])
    func released(_ hasDeadline: Bool) async throws {
        let source = try Pipe(), target = try Pipe()
        let python = try PeerProcess(obeying: [(source.writing.descriptor, 3), (target.reading.descriptor, 4)])
        try await python.does("pass")
        try python.releases(by: "os.write(3, b'late')")
        #expect(try splice(source.reading, to: target.writing.descriptor, 9, until: hasDeadline ? .after(watchdog) : nil) == 4)
        try await python.isDone()
        #expect(try await python.value(of: "os.read(4, 9).decode()") == "late")
        let sent = try fillAtOnce(target.writing)
        try await python.does("os.write(3, b'more')")
        try python.releases(by: "drain(4, \(sent))")
        #expect(try splice(source.reading, to: target.writing.descriptor, 9, until: hasDeadline ? .after(watchdog) : nil) == 4)
        try await python.isDone()
        #expect(try await python.value(of: "os.read(4, 9).decode()") == "more")
    }

    @Test("K6 splicing into the socket of a killed program is an error and no signal, also while it waits", arguments: [false, true])
    func splicedToDead(_ isWaiting: Bool) async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let pair = try UnixStream.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("pass")
        let socket = try pair.keepFirst()
        let pipe = try Pipe()
        try blockingWrite(pipe.writing, [1, 2, 3])
        if isWaiting {
            _ = try fillAtOnce(socket)
            try python.releases(by: "die()")
        } else {
            try await python.isKilled()
        }
        let gone = #expect(throws: FacilityError.self) { _ = try splice(pipe.reading, to: socket.descriptor, 9) }
        #expect(gone?.isOtherSideGone == true)
        let again = #expect(throws: FacilityError.self) { _ = try splice(pipe.reading, to: socket.descriptor, 9) }
        #expect(again?.errno == .brokenPipe)
    }

    @Test("K6 what tee copies goes to another program, and what that copies comes here; the original stays for each")
    func teed() async throws {
        let here = try Pipe(), there = try Pipe()
        let python = try PeerProcess(obeying: [(here.reading.descriptor, 3), (there.writing.descriptor, 4), (there.reading.descriptor, 5)])
        try await python.does("pass")
        try blockingWrite(here.writing, Array("once".utf8))
        #expect(try tee(here.reading, to: there.writing, 99) == 4)
        #expect(try await python.value(of: "os.read(5, 99).decode()") == "once")
        #expect(try await python.number(of: "lib.tee(3, 4, ctypes.c_size_t(99), 0)") == 4)
        #expect(text(try blockingRead(there.reading, 99)) == "once")
        #expect(text(try blockingRead(here.reading, 99)) == "once")
        // It waits for what the other one writes, or for room.
        try python.releases(by: "os.write(4, b'late')")
        #expect(try tee(there.reading, to: here.writing, 99) == 4)
        try await python.isDone()
        _ = try fillAtOnce(here.writing)
        try python.releases(by: "os.read(3, 1 << 20)")
        #expect(try tee(there.reading, to: here.writing, 99) == 4)
        try await python.isDone()
        // Killed while this one waits, it leaves this process's own ends.
        #expect(text(try blockingRead(there.reading, 99)) == "late")
        let reader = try there.keepReading()
        try python.releases(by: "die()")
        #expect(try tee(reader, to: here.writing, 99) == 0, "the end")
    }

    @Test("K6 a dead program's memory is neither read nor written, and that is told")
    func deadMemory() async throws {
        let python = try PeerProcess(obeying: [])
        try await python.does("b = ctypes.create_string_buffer(b'before', 100)")
        let address = UInt(try await python.number(of: "ctypes.addressof(b)"))
        let memory = ProcessMemory(of: python.pid)
        #expect(try memory.write(Array("beyond".utf8).span, at: address) == 6)
        #expect(try await python.value(of: "b.value.decode()") == "beyond")
        try await python.isKilled()
        let writing = #expect(throws: FacilityError.self) { _ = try memory.write([1].span, at: address) }
        let several = #expect(throws: FacilityError.self) { _ = try memory.write([1].span, to: [.init(start: address, byteCount: 1)]) }
        let reading = #expect(throws: FacilityError.self) {
            var bytes: [UInt8] = [0]
            var span = bytes.mutableSpan
            _ = try memory.read(into: &span, from: [.init(start: address, byteCount: 1)])
        }
        for error in [writing, several, reading] { #expect(error?.errno == .noSuchProcess && error?.advice.isEmpty == false) }
    }
}
