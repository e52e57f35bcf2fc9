import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 FIFOs", .serialized)
struct FifoTests {
    private let temporary: TemporaryDirectory
    private let path: FilePath

    init() throws {
        temporary = try TemporaryDirectory()
        path = temporary.path(of: "fifo")
    }

    @Test("K1 another program writes to the path, and this one reads, to its end; and the other way round")
    func purpose() async throws {
        let fifo = try Fifo.create(at: path)
        let python = try PeerProcess(
            python: """
                import sys
                open(sys.argv[1], 'wb').write(b'from python')
                print(open(sys.argv[1], 'rb').read().decode(), flush=True)
                """, [path.string])
        do {
            let reader = try fifo.openReader()
            #expect(text(try blockingRead(reader, 99, until: .after(watchdog))) == "from python")
            #expect(try blockingRead(reader, 99, until: .after(watchdog)) == [])
        }
        do {
            let writer = try fifo.openWriter()
            try blockingWrite(writer, Array("from here".utf8))
        }
        try await python.expect("from here")
        #expect(try await python.ending() == .exited(0))
    }

    @Test("K1 the path is made once, found, and removed; who has it open goes on")
    func names() throws {
        #expect(throws: FacilityError.self) { _ = try Fifo.open(at: path) }
        let fifo = try Fifo.openOrCreate(at: path, permissions: .ownerReadWrite)
        #expect(try Fifo.openOrCreate(at: path) == fifo)
        #expect(try Fifo.open(at: path) == fifo)
        let taken = #expect(throws: FacilityError.self) { _ = try Fifo.create(at: path) }
        #expect(taken?.errno == .fileExists && taken?.object == path.string)
        let reader = try fifo.openReaderAtOnce()
        guard let writer = try fifo.tryOpenWriter() else { throw Errno.noSuchAddressOrDevice }
        try fifo.remove()
        try blockingWrite(writer, [7])
        #expect(try blockingRead(reader, 9) == [7])
        #expect(isClosedByExec(reader.descriptor))
        #expect(throws: FacilityError.self) { try fifo.remove() }
        #expect(throws: FacilityError.self) { _ = try fifo.openReader() }
    }

    @Test("K1 what stands there and is no FIFO is not opened")
    func others() throws {
        try FileDescriptor.open(path, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite).close()
        for attempt in [{ _ = try Fifo.open(at: $0) }, { _ = try Fifo.openOrCreate(at: $0) }] as [(FilePath) throws -> Void] {
            let error = #expect(throws: FacilityError.self) { try attempt(path) }
            #expect(error?.errno == .invalidArgument)
            #expect(error?.advice.contains("not a FIFO") == true)
        }
        try FilePath.removeFile(path)
        let fifo = try Fifo.create(at: path)
        try FilePath.removeFile(path)
        try FileDescriptor.open(path, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite).close()
        #expect(throws: FacilityError.self) { _ = try fifo.openReaderAtOnce() }
    }

    @Test("K1 opening waits for the other side, or does not")
    func opening() async throws {
        let fifo = try Fifo.create(at: path)
        if try fifo.tryOpenWriter() != nil { Issue.record("nobody reads") }
        let reader = try fifo.openReaderAtOnce()
        #expect(try blockingRead(reader, 9) == [], "nobody writes yet")
        let python = try PeerProcess(
            python:
                "import sys\nf = open(sys.argv[1], 'wb', 0)\nprint('open', flush=True)\nf.write(sys.stdin.readline().encode())\nsys.stdin.readline()",
            [path.string])
        try await python.expect("open")
        #expect(try tryRead(reader, 9) == nil, "reading waits now")
        try python.send("word")
        #expect(text(try blockingRead(reader, 9)) == "word\n")
        python.kill()
        _ = try await python.ending()
        #expect(try await read(reader, 9) == [])
    }

    @Test("K1 every errno of mkfifo(3), open(2), stat(2) and unlink(2) for FIFOs is told, with what to do")
    func errors() throws {
        let fifo = try Fifo.create(at: path)
        expectEach(
            [
                .permissionDenied, .diskQuotaExceeded, .fileNameTooLong, .noSuchFileOrDirectory, .noSpace, .notDirectory,
                .readOnlyFileSystem, .notPermitted,
            ],
            of: "mkfifo", .fifo
        ) { () throws(FacilityError) in _ = try Fifo.create(at: path) }
        expectEach(
            [
                .permissionDenied, .noSuchFileOrDirectory, .tooManySymbolicLinkLevels, .tooManyOpenFiles, .tooManyOpenFilesInSystem,
                .noMemory,
            ],
            of: "open", .fifo
        ) { () throws(FacilityError) in _ = try fifo.openReaderAtOnce() }
        expectEach([.permissionDenied, .notDirectory], of: "stat", .fifo) { () throws(FacilityError) in _ = try Fifo.open(at: path) }
        expectEach([.permissionDenied, .resourceBusy, .readOnlyFileSystem, .isDirectory], of: "unlink", .fifo) { () throws(FacilityError) in
            try fifo.remove()
        }
        let long = #expect(throws: FacilityError.self) { _ = try Fifo.create(at: FilePath("/tmp/" + String(repeating: "x", count: 256))) }
        #expect(long?.errno == .fileNameTooLong)
    }
}

extension FilePath {
    fileprivate static func removeFile(_ path: FilePath) throws {
        guard unsafe path.withPlatformString({ unsafe unlink($0) }) == 0 else { throw Errno(rawValue: Glibc.errno) }
    }
}
