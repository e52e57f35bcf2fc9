import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K6 sendfile, copy_file_range, another process's memory")
struct SendFileTests {
    private let directory: TemporaryDirectory
    private let source: SharedDescriptor

    init() throws {
        directory = try TemporaryDirectory(in: "/var/tmp")
        source = SharedDescriptor(try Self.file(in: directory, "source", .pattern(100_000)))
    }

    private static func file(in directory: TemporaryDirectory, _ name: String, _ content: [UInt8] = []) throws -> OwnedDescriptor {
        let file = OwnedDescriptor(
            owning: try FileDescriptor.open(
                directory.path.appending(name), .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite))
        try file.descriptor.writeAll(content)
        try file.descriptor.seek(offset: 0, from: .start)
        return file
    }
    private func content(of file: FileDescriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: try FileStatus(of: file).size)
        _ = unsafe try bytes.withUnsafeMutableBytes { unsafe try file.readAll(into: $0, at: 0) }
        return bytes
    }
    // By names of their own: in an asynchronous function the asynchronous form would be chosen.
    private func send<W: ByteWriting & ~Copyable>(_ file: FileDescriptor, to end: borrowing W, at offset: Int? = nil, _ count: Int)
        throws(FacilityError) -> Int
    {
        try end.sendFile(file, at: offset, count: count)
    }
    private func send<W: ByteWriting & ~Copyable>(
        _ file: FileDescriptor, to end: borrowing W, at offset: Int? = nil, _ count: Int, until deadline: MonotonicInstant
    ) throws(FacilityError) -> Int { try end.sendFile(file, at: offset, count: count, until: deadline) }

    @Test("K6 a receiver that is killed in the middle of a file is no signal: what went before is told, and then the error")
    func endInTheMiddle() async throws {
        let large = try Self.file(in: directory, "large", .pattern(8 << 20))
        let path = directory.path(of: "socket")
        let listener = try UnixListener<UnixStream>.create(at: .path(path))
        let reader = try PeerProcess(
            python: """
                import os, signal, socket, sys
                s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                s.connect(sys.argv[1])
                left = 1000000
                while left > 0: left -= len(s.recv(left))
                os.kill(os.getpid(), signal.SIGKILL)
                """, [path.string])
        let stream = try await listener.accept(until: .after(watchdog))
        let first = try send(large.descriptor, to: stream, at: 0, 8 << 20)
        #expect((1_000_000..<8 << 20).contains(first))
        let gone = #expect(throws: FacilityError.self) { _ = try send(large.descriptor, to: stream, at: first, 1) }
        #expect(gone?.isOtherSideGone == true)
        #expect(try await reader.ending() == .signalled(Signal.kill))
    }

    private static let python = """
        import hashlib, os
        data = b''
        while (part := os.read(3, 65536)): data += part
        print(len(data), hashlib.md5(data).hexdigest() == hashlib.md5(open('/proc/self/fd/4', 'rb').read()).hexdigest(), flush=True)
        """

    @Test("K6 a file goes through a pipe and a socket to another program, whole, in each form")
    func purpose() async throws {
        let pipe = try Pipe(), sockets = try UnixStream.pair()
        let reader = try PeerProcess(python: Self.python, descriptors: [(pipe.reading.descriptor, 3), (source.descriptor, 4)])
        let writer = try pipe.keepWriting()
        var place = 0
        while true {
            let count = try send(source.descriptor, to: writer, at: place, 30_000)
            if count == 0 { break }
            place += count
            #expect(place <= 100_000)
        }
        _ = consume writer
        try await reader.expect("100000 True")
        #expect(try source.descriptor.seek(offset: 0, from: .current) == 0, "the file's own position stays")
        let other = try PeerProcess(python: Self.python, descriptors: [(sockets.first.descriptor, 3), (source.descriptor, 4)])
        #expect(try send(source.descriptor, to: sockets.second, 10_000) == 10_000)
        #expect(try source.descriptor.seek(offset: 0, from: .current) == 10_000, "the file's own position moves")
        while try send(source.descriptor, to: sockets.second, 10_000, until: .after(watchdog)) > 0 {}
        try sockets.second.finishWriting()
        try await other.expect("100000 True")
        #expect(try await sockets.second.isAtEnd(of: source.descriptor))
    }

    @Test("K6 what another program sends by sendfile is read")
    func fromOther() async throws {
        let pipe = try Pipe()
        let python = try PeerProcess(
            python: "import os\nplace = 0\nwhile (count := os.sendfile(3, 4, place, 100000)): place += count",
            descriptors: [(pipe.writing.descriptor, 3), (source.descriptor, 4)])
        let reader = try pipe.keepReading()
        let target = try Self.file(in: directory, "target")
        while try await reader.splice(to: target.descriptor, count: 1 << 20) > 0 {}
        #expect(try content(of: target.descriptor) == .pattern(100_000))
        #expect(try await python.ending() == .exited(0))
    }

    @Test("K6 a full pipe and a full socket take not one byte more; waiting for them ends with the deadline and with the task")
    func boundaries() async throws {
        let pipe = try Pipe(), sockets = try UnixStream.pair()
        let capacity = try pipe.capacity()
        #expect(try send(source.descriptor, to: pipe.writing, at: 0, capacity + 1) == capacity)
        #expect(try pipe.writing.trySendFile(source.descriptor, at: 0, count: 1) == nil)
        let late = #expect(throws: FacilityError.self) {
            _ = try send(source.descriptor, to: pipe.writing, at: 0, 1, until: after(milliseconds: 5))
        }
        #expect(late?.isDeadline == true)
        while try sockets.first.trySendFile(source.descriptor, at: 0, count: 4096) != nil {}
        let asleep = await #expect(throws: FacilityError.self) {
            _ = try await sockets.first.sendFile(source.descriptor, at: 0, count: 1, until: after(milliseconds: 5))
        }
        #expect(asleep?.isDeadline == true)
        // One byte before the end, at it, and behind it.
        _ = try blockingRead(pipe.reading, capacity)
        #expect(try send(source.descriptor, to: pipe.writing, at: 99_999, 10) == 1)
        #expect(try send(source.descriptor, to: pipe.writing, at: 100_000, 10) == 0)
        #expect(try send(source.descriptor, to: pipe.writing, at: 1_000_000, 10) == 0)
        for count in [-1, .min] {
            let negative = #expect(throws: FacilityError.self) { _ = try send(source.descriptor, to: pipe.writing, at: 0, count) }
            #expect(negative?.errno == .invalidArgument)
        }
        let before = #expect(throws: FacilityError.self) { _ = try send(source.descriptor, to: pipe.writing, at: -1, 1) }
        #expect(before?.errno == .invalidArgument)
    }

    @Test("K6 bytes of a file are copied to another and to its own other places; not over themselves, and to what is no file not at all")
    func copying() throws {
        let target = try Self.file(in: directory, "target")
        #expect(try source.descriptor.copyRange(at: 10, to: target.descriptor, at: 5, count: 1000) == 1000)
        #expect(try content(of: target.descriptor) == [0, 0, 0, 0, 0] + [UInt8].pattern(2000)[10..<1010])
        #expect(try source.descriptor.copyRange(at: 99_990, to: target.descriptor, at: 0, count: 1000) == 10)
        #expect(try source.descriptor.copyRange(at: 100_000, to: target.descriptor, at: 0, count: 1000) == 0)
        #expect(try source.descriptor.copyRange(to: target.descriptor, count: 7) == 7)
        #expect(try source.descriptor.seek(offset: 0, from: .current) == 7 && target.descriptor.seek(offset: 0, from: .current) == 7)
        #expect(try source.descriptor.copyRange(at: 0, to: source.descriptor, at: 100_000, count: 100) == 100)
        let over = #expect(throws: FacilityError.self) {
            _ = try source.descriptor.copyRange(at: 0, to: source.descriptor, at: 50, count: 100)
        }
        #expect(over?.errno == .invalidArgument && over?.advice.contains("apart") == true)
        let pipe = try Pipe()
        let kind = #expect(throws: FacilityError.self) { _ = try source.descriptor.copyRange(at: 0, to: pipe.writing.descriptor, count: 1) }
        #expect(kind?.errno == .invalidArgument)
        let reading = OwnedDescriptor(owning: try FileDescriptor.open(directory.path.appending("source"), .readOnly, options: .closeOnExec))
        let mode = #expect(throws: FacilityError.self) {
            _ = try target.descriptor.copyRange(at: 0, to: reading.descriptor, at: 0, count: 1)
        }
        #expect(mode?.errno == .badFileDescriptor && mode?.advice.contains("not for appending") == true)
        let memory = try MemoryFile.make(named: "test", size: 0)
        let across = #expect(throws: FacilityError.self) {
            _ = try source.descriptor.copyRange(at: 0, to: memory.descriptor, at: 0, count: 1)
        }
        #expect(across?.errno == .improperLink && across?.advice.contains("two file systems") == true)
    }

    @Test("K6 what another program has copied by copy_file_range is there")
    func copiedByOther() async throws {
        let target = try Self.file(in: directory, "target")
        let python = try PeerProcess(
            python: "import os\nprint(os.copy_file_range(3, 4, 500, 100, 0), flush=True)",
            descriptors: [(source.descriptor, 3), (target.descriptor, 4)])
        try await python.expect("500")
        #expect(try content(of: target.descriptor) == Array([UInt8].pattern(1000)[100..<600]))
    }

    @Test("K6 another program's memory is read and written; fewer bytes where it ends; dead, it has none")
    func processMemory() async throws {
        let peer = try PeerProcess("secret")
        let address = try #require(UInt(try await peer.line()))
        let memory = ProcessMemory(of: peer.pid)
        func read(_ count: Int, at address: UInt) throws(FacilityError) -> String {
            var bytes = [UInt8](repeating: 0, count: count)
            var span = bytes.mutableSpan
            let found = try memory.read(into: &span, at: address)
            return text(Array(bytes[..<found]))
        }
        #expect(try read(4, at: address + 8188) == "ssss")
        #expect(try read(10_000, at: address).utf8.count == 8192)
        #expect(try memory.write(Array("abcd".utf8).span, at: address + 1) == 4)
        try peer.send("look")
        try await peer.expect("sabcdsss")
        #expect(try memory.write(Array(repeating: UInt8(ascii: "t"), count: 100).span, at: address + 8092) == 100)
        // One byte more than it has.
        #expect(try memory.write(Array(repeating: UInt8(ascii: "t"), count: 4097).span, at: address + 4096) <= 4096)
        var bytes = [UInt8](repeating: 0, count: 5)
        var span = bytes.mutableSpan
        let several = try memory.read(into: &span, from: [.init(start: address, byteCount: 3), .init(start: address + 5, byteCount: 100)])
        #expect(several == 5 && text(bytes) == "sabss")
        #expect(
            try memory.write(Array("xy".utf8).span, to: [.init(start: address, byteCount: 1), .init(start: address + 7, byteCount: 1)]) == 2
        )
        try peer.send("look")
        try await peer.expect("xabcdssy")
        let nothing = #expect(throws: FacilityError.self) { _ = try read(1, at: address + 8192) }
        #expect(nothing?.errno == .badAddress && nothing?.advice.contains("/proc/PID/maps") == true)
        let many = Array(repeating: ProcessMemory.Range(start: address, byteCount: 1), count: ProcessMemory.mostRanges + 1)
        let error = #expect(throws: FacilityError.self) { _ = try memory.write([1].span, to: many) }
        #expect(error?.errno == .invalidArgument && error?.advice.contains("mostRanges") == true)
        #expect(throws: FacilityError.self) { _ = try memory.write([1].span, to: [.init(start: address, byteCount: -1)]) }
        peer.kill()
        _ = try await peer.ending()
        let dead = #expect(throws: FacilityError.self) { _ = try read(1, at: address) }
        #expect(dead?.errno == .noSuchProcess)
    }

    @Test("K6 bytes that Python's C library stores in memory of its own are read there")
    func pythonMemory() async throws {
        let python = try PeerProcess(
            python: """
                import ctypes, sys
                memory = ctypes.create_string_buffer(b'python', 100)
                print(ctypes.addressof(memory), flush=True)
                sys.stdin.readline()
                print(memory.value.decode(), flush=True)
                """)
        let address = try #require(UInt(try await python.line()))
        var bytes = [UInt8](repeating: 0, count: 6)
        var span = bytes.mutableSpan
        #expect(try ProcessMemory(of: python.pid).read(into: &span, at: address) == 6)
        #expect(text(bytes) == "python")
        #expect(try ProcessMemory(of: python.pid).write(Array("typhon".utf8).span, at: address) == 6)
        try python.send("go on")
        try await python.expect("typhon")
    }

    @Test("K6 every errno of sendfile, copy_file_range, process_vm_readv and process_vm_writev is told, with what to do")
    func errors() throws {
        let pipe = try Pipe()
        let target = try Self.file(in: directory, "target")
        let wrong = #expect(throws: FacilityError.self) { _ = try send(pipe.reading.descriptor, to: pipe.writing, 1) }
        #expect([.invalidArgument, .illegalSeek].contains(wrong?.errno))
        expectEach(
            [
                .resourceTemporarilyUnavailable, .badFileDescriptor, .badAddress, .invalidArgument, .ioError, .noMemory, .overflow,
                .illegalSeek,
                .brokenPipe, .noSuchAddressOrDevice,
            ], of: "sendfile", .transfer
        ) { () throws(FacilityError) in _ = try send(source.descriptor, to: pipe.writing, at: 0, 1) }
        expectEach(
            [
                .badFileDescriptor, .fileTooLarge, .invalidArgument, .ioError, .isDirectory, .noMemory, .noSpace, .notSupportedOnSocket,
                .overflow,
                .notPermitted, .textFileBusy, .improperLink,
            ], of: "copy_file_range", .transfer
        ) { () throws(FacilityError) in _ = try source.descriptor.copyRange(at: 0, to: target.descriptor, at: 0, count: 1) }
        let memory = ProcessMemory(of: getpid())
        let errors: [Errno] = [.badAddress, .invalidArgument, .noMemory, .notPermitted, .noSuchProcess]
        expectEach(errors, of: "process_vm_readv", .processMemory) { () throws(FacilityError) in
            var bytes: [UInt8] = [0]
            var span = bytes.mutableSpan
            _ = try memory.read(into: &span, at: 0)
        }
        expectEach(errors, of: "process_vm_writev", .processMemory) { () throws(FacilityError) in _ = try memory.write([1].span, at: 0) }
    }
}

extension UnixStream {
    /// Whether nothing of a file is left to be sent, from its position on.
    fileprivate func isAtEnd(of file: FileDescriptor) async throws -> Bool { try await sendFile(file, count: 1) == 0 }
}
