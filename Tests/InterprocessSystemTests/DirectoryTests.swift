import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("Directories and unnamed files")
struct DirectoryTests {
    private let temporary: TemporaryDirectory
    init() throws { temporary = try TemporaryDirectory() }

    @Test("an unnamed file is seen by nobody until it is linked, and then whole", arguments: ["/dev/shm", "/var/tmp"])
    func unnamed(_ parent: String) throws {
        let temporary = try TemporaryDirectory(in: FilePath(parent))
        let directory = try Directory(opening: temporary.path)
        let file = try directory.makeUnnamedFile(mode: .ownerReadWrite)
        try file.descriptor.reserve(size: 4096)
        #expect(try directory.names() == [])
        #expect(try FileStatus(of: file.descriptor).links == 0)
        try directory.link(file.descriptor, as: "a")
        #expect(try directory.names() == ["a"])
        let status = try #require(try directory.status(of: "a"))
        #expect(try status.isSameFile(as: FileStatus(of: file.descriptor)))
        #expect(status.size == 4096 && status.links == 1 && status.kind == .regular)
        #expect(throws: Errno.fileExists) { try directory.link(file.descriptor, as: "a") }
        try directory.unlink("a")
        #expect(try directory.status(of: "a") == nil)
        #expect(throws: Errno.noSuchFileOrDirectory) { try directory.unlink("a") }
    }

    @Test("where linking by descriptor is not allowed, it goes by way of /proc")
    func linkByProc() throws {
        let directory = try Directory(opening: temporary.path)
        let file = try directory.makeUnnamedFile(mode: .ownerReadWrite)
        try SystemCallFaults.withFault("linkat", .noSuchFileOrDirectory) { try directory.link(file.descriptor, as: "b") }
        #expect(try directory.status(of: "b")?.isSameFile(as: FileStatus(of: file.descriptor)) == true)
    }

    @Test("a symbolic link is followed neither as the directory nor in it")
    func symbolicLinks() throws {
        let directory = try Directory(opening: temporary.path)
        unsafe #expect(symlink("/etc/passwd", temporary.path(of: "link").string) == 0)
        unsafe #expect(symlink(temporary.path.string, temporary.path(of: "circle").string) == 0)
        #expect(throws: Errno.tooManySymbolicLinkLevels) { _ = try directory.open("link") }
        #expect(throws: Errno.notDirectory) { _ = try Directory(opening: temporary.path(of: "circle")) }
        #expect(try directory.status(of: "link")?.kind == .symbolicLink)
    }

    @Test("opening a pipe does not block, and shows what it is")
    func fifo() throws {
        let directory = try Directory(opening: temporary.path)
        unsafe #expect(mkfifo(temporary.path(of: "pipe").string, 0o600) == 0)
        let file = try directory.open("pipe")
        #expect(try FileStatus(of: file.descriptor).kind == .other)
    }

    @Test("making a directory that is there is no error")
    func make() throws {
        #expect(try !Directory.make(at: temporary.path, mode: .ownerReadWriteExecute))
        #expect(try Directory.make(at: temporary.path(of: "new"), mode: .ownerReadWriteExecute))
        #expect(try Directory(opening: temporary.path).names() == ["new"])
    }

    @Test("names of any bytes are listed as they are, and lead to their files") func anyBytes() throws {
        let directory = try Directory(opening: temporary.path)
        let names = try [[0x61], [0xc3, 0xa4], [0xfe], [0xff], [0xff, 0x0a]].map { bytes in
            try #require(FilePath.Component(platformString: bytes.map { CChar(truncatingIfNeeded: $0) } + [0]))
        }
        for name in names.reversed() {
            let file = try FileDescriptor.open(
                temporary.path.appending(name), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
            try file.close()
        }
        #expect(try directory.entries() == names)
        for name in names {
            let file = try directory.open(name, readOnly: true)
            #expect(try directory.status(of: name)?.isSameFile(as: FileStatus(of: file.descriptor)) == true)
            try directory.unlink(name)
            #expect(try directory.status(of: name) == nil)
        }
        #expect(try directory.entries().isEmpty)
    }

    @Test("a test's directory goes with what is in it, whatever that is called") func removal() throws {
        let name = try #require(FilePath.Component(platformString: [CChar(bitPattern: 0xff), 0]))
        var path = FilePath()
        do {
            let other = try TemporaryDirectory()
            path = other.path
            try FileDescriptor.open(
                path.appending(name), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite
            ).close()
        }
        #expect(throws: Errno.noSuchFileOrDirectory) { _ = try Directory(opening: path) }
    }

    @Test("no descriptor is inherited by programs that this process starts")
    func closeOnExec() throws {
        let directory = try Directory(opening: temporary.path)
        let file = try directory.makeUnnamedFile(mode: .ownerReadWrite)
        try directory.link(file.descriptor, as: "c")
        let opened = try directory.open("c")
        let memory = try MemoryFile.make(named: "test", size: 4096)
        let process = try ProcessDescriptor(opening: getpid())
        for descriptor in [directory.descriptor, file.descriptor, opened.descriptor, memory.descriptor, process.descriptor] {
            #expect(fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        }
    }
}
