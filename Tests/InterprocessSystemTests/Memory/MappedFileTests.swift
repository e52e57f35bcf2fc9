import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import InterprocessSystem

@Suite("K3 mapped files")
struct MappedFileTests {
    private let directory: TemporaryDirectory
    private let file: SharedDescriptor
    private var path: FilePath { directory.path.appending("file") }

    init() throws {
        directory = try TemporaryDirectory(in: "/var/tmp")
        let path = directory.path.appending("file")
        file = SharedDescriptor(
            OwnedDescriptor(
                owning: try FileDescriptor.open(path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)))
        try file.descriptor.setSize(10_000)
    }

    @Test("K3 another program sees what is stored in a file's memory, and stores itself; its death changes nothing")
    func purpose() async throws {
        let mapped = try MappedFile(file.descriptor, from: 5000, byteCount: 100), watched = try ReadOnlyMappedFile(file.descriptor)
        #expect(mapped.byteCount == 100 && watched.byteCount == 10_000)
        let python = try PeerProcess(python: MemoryPython.file, [path.string])
        try await python.expect("10000")
        store("abc", in: mapped, at: 7)
        try python.send("get 5007 3")
        try await python.expect("abc")
        try python.send("put 5099 hello")
        try await python.expect("put")
        #expect(bytes(of: mapped, 99..<100) == "h")
        #expect(bytes(of: watched, 5099..<5104) == "hello")
        try mapped.sync()
        try mapped.sync(10..<20)
        try mapped.beginSync()
        try python.send("read 5007 3")
        try await python.expect("abc")
        python.kill()
        _ = try await python.ending()
        #expect(bytes(of: watched, 5099..<5104) == "hello")
    }

    @Test("K3 what is changed in a private mapping nobody else sees")
    func privateMapping() throws {
        let mine = try MappedFile(file.descriptor, .private), watched = try ReadOnlyMappedFile(file.descriptor)
        store("mine", in: mine, at: 0)
        #expect(bytes(of: mine, 0..<4) == "mine" && bytes(of: watched, 0..<4) == "\0\0\0\0")
        // What was changed is lost.
        try mine.advise(.willNotNeed)
        #expect(bytes(of: mine, 0..<4) == "\0\0\0\0")
    }

    @Test("K3 a mapping begins at any byte, has at least one, and none where the file has none")
    func boundaries() throws {
        for (offset, count) in [(0, 0), (0, -1), (-1, 1), (10_000, nil), (10_001, nil)] as [(Int, Int?)] {
            let error = #expect(throws: FacilityError.self) { _ = try MappedFile(file.descriptor, from: offset, byteCount: count) }
            #expect(error?.errno == .invalidArgument && error?.advice.contains("at least one byte") == true, "\(offset)")
        }
        let huge = #expect(throws: FacilityError.self) { _ = try MappedFile(file.descriptor, from: 1, byteCount: .max) }
        #expect(huge?.errno == .noMemory)
        let last = try MappedFile(file.descriptor, from: 9999)
        #expect(last.byteCount == 1)
        store("z", in: last, at: 0)
        let whole = try MappedFile(file.descriptor, populated: true)
        #expect(bytes(of: whole, 9998..<10_000) == "\0z")
    }

    @Test("K3 a mapping grows with its file, and shrinks, and keeps what it shows")
    func resizing() throws {
        var mapped = try MappedFile(file.descriptor, from: 100), watched = try ReadOnlyMappedFile(file.descriptor)
        store("stays", in: mapped, at: 0)
        try file.descriptor.reserve(size: 1_000_000)
        try mapped.resize(to: 999_900)
        try watched.resize(to: 1_000_000)
        store("end", in: mapped, at: 999_897)
        #expect(bytes(of: watched, 999_997..<1_000_000) == "end" && bytes(of: watched, 100..<105) == "stays")
        try mapped.resize(to: 5)
        #expect(mapped.byteCount == 5 && bytes(of: mapped, 0..<5) == "stays")
        for count in [0, -1, Int.max] {
            let error = #expect(throws: FacilityError.self) { try mapped.resize(to: count) }
            // Of too many the kernels say one or the other.
            #expect(error?.errno == .invalidArgument || count == .max && error?.errno == .noMemory)
        }
        #expect(bytes(of: mapped, 0..<5) == "stays")
    }

    @Test("K3 whoever touches a page that its file has no more gets SIGBUS")
    func truncated() async throws {
        let peer = try PeerProcess("touch-mapped", [path.string, "8192"])
        try await peer.expect("0")
        try file.descriptor.setSize(4096)
        try peer.send("touch")
        #expect(try await peer.ending() == .signalled(SIGBUS))
    }

    @Test("K3 only what may be read is mapped, and only what may be written is changed")
    func access() throws {
        let reading = OwnedDescriptor(owning: try FileDescriptor.open(path, .readOnly, options: .closeOnExec))
        let writing = OwnedDescriptor(owning: try FileDescriptor.open(path, .writeOnly, options: .closeOnExec))
        let denied = #expect(throws: FacilityError.self) { _ = try MappedFile(reading.descriptor) }
        #expect(denied?.errno == .permissionDenied && denied?.advice.contains("open for reading") == true)
        #expect(throws: FacilityError.self) { _ = try ReadOnlyMappedFile(writing.descriptor, byteCount: 1) }
        #expect(try ReadOnlyMappedFile(reading.descriptor).byteCount == 10_000)
        #expect(try MappedFile(reading.descriptor, .private).byteCount == 10_000)
        let pipe = try Pipe()
        let device = #expect(throws: FacilityError.self) { _ = try MappedFile(pipe.reading.descriptor, byteCount: 1) }
        #expect([.operationNotSupportedByDevice, .permissionDenied].contains(device?.errno))
    }

    @Test("K3 advice is taken, or refused with a reason; what is removed is zeroes")
    func advice() throws {
        let memory = try AnonymousMemory(byteCount: 3 * 4096)
        store("gone", in: memory, at: 4096)
        store("stays", in: memory, at: 0)
        for advice in MemoryAdvice.allCases where advice != .remove {
            do throws(FacilityError) {
                try memory.advise(advice)
            } catch {
                #expect(error.errno == .invalidArgument && error.advice.contains("does not know"), "\(advice) \(error)")
            }
        }
        #expect(bytes(of: memory, 0..<5) == "stays")
        try memory.advise(.remove, for: 4096..<8192)
        #expect(bytes(of: memory, 4096..<4100) == "\0\0\0\0" && bytes(of: memory, 0..<5) == "stays")
        let beyond = try MappedFile(file.descriptor, byteCount: 100_000)
        let error = #expect(throws: FacilityError.self) { try beyond.advise(.populateForWriting) }
        #expect(error?.errno == .badAddress && error?.advice.contains("bus error") == true)
    }

    @Test("K3 mappings leave nothing behind, also where they fail")
    func leaks() throws {
        let path = self.path.string
        func count() throws -> Int { try mappings { $0.hasSuffix(path) } }
        do {
            var mapped = try MappedFile(file.descriptor, from: 4097, byteCount: 10)
            #expect(try count() == 1)
            try mapped.resize(to: 5000)
            #expect(throws: FacilityError.self) { try mapped.resize(to: .max) }
            #expect(try count() == 1)
        }
        #expect(try count() == 0)
    }

    @Test("K3 pages are rounded to the kind of memory")
    func hugePageSizes() {
        #expect(MappedPages.roundUp(1, to: 2 << 20) == 2 << 20)
        #expect(MappedPages.roundUp(2 << 20, to: 2 << 20) == 2 << 20)
        #expect(MappedPages.roundUp(4097, to: 4096) == 8192)
    }

    @Test("K3 every errno of mmap, mremap, msync and madvise is told, with what to do")
    func errors() throws {
        var mapped = try MappedFile(file.descriptor)
        expectEach(
            [
                .permissionDenied, .resourceTemporarilyUnavailable, .badFileDescriptor, .invalidArgument, .tooManyOpenFilesInSystem,
                .operationNotSupportedByDevice, .noMemory, .overflow, .notPermitted,
            ], of: "mmap", .mappedMemory
        ) { () throws(FacilityError) in _ = try MappedFile(file.descriptor) }
        expectEach([.badFileDescriptor, .noFunction], of: "fstatfs", .mappedMemory) { () throws(FacilityError) in
            _ = try MappedFile(file.descriptor)
        }
        expectEach([.badFileDescriptor, .noMemory], of: "fstat", .mappedMemory) { () throws(FacilityError) in
            _ = try MappedFile(file.descriptor)
        }
        expectEach([.resourceTemporarilyUnavailable, .badAddress, .invalidArgument, .noMemory], of: "mremap", .mappedMemory) {
            () throws(FacilityError) in try mapped.resize(to: 1)
        }
        expectEach([.resourceBusy, .invalidArgument, .noMemory, .ioError], of: "msync", .mappedMemory) { () throws(FacilityError) in
            try mapped.sync()
        }
        expectEach(
            [
                .permissionDenied, .resourceTemporarilyUnavailable, .badFileDescriptor, .resourceBusy, .invalidArgument, .ioError,
                .noMemory,
                .notPermitted, .badAddress, Errno(rawValue: EHWPOISON),
            ], of: "madvise", .mappedMemory
        ) { () throws(FacilityError) in try mapped.advise(.normal) }
    }
}
