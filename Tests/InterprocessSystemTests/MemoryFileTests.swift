import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K3 memory files")
struct MemoryFileTests {
    @Test("a new one has its size reserved, mode 0600, no names, and is not executable for ever")
    func made() throws {
        let file = try MemoryFile.make(named: "test", size: 10_000)
        let status = try FileStatus(of: file.descriptor)
        #expect(status.size == 10_000)
        #expect(status.reservedBytes >= 10_000)
        #expect(status.permissions == .ownerReadWrite)
        #expect(status.links == 0)
        #expect(throws: Errno.notPermitted) { try file.descriptor.setPermissions([.ownerReadWriteExecute]) }
    }

    @Test("K3 another program that is given one maps it, reads and stores, and finds the seals; its death changes nothing")
    func purpose() async throws {
        let file = try MemoryFile.make(named: "test", size: 8192)
        let mapped = try MappedFile(file.descriptor)
        try MemoryFile.add([.shrink, .grow], to: file.descriptor)
        store("abc", in: mapped, at: 100)
        let python = try PeerProcess(
            python: """
                import fcntl, mmap, os, sys
                print(fcntl.fcntl(5, fcntl.F_GET_SEALS) & 31, flush=True)
                memory = mmap.mmap(5, 8192)
                print(memory[100:103].decode(), flush=True)
                memory[200:203] = b'def'
                try: os.ftruncate(5, 4096)
                except PermissionError: print('sealed', flush=True)
                fcntl.fcntl(5, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL)
                print('ready', flush=True)
                sys.stdin.readline()
                """, [], descriptors: [(file.descriptor, 5)])
        try await python.expect("\(MemoryFile.Seals([.shrink, .grow]).rawValue)")
        try await python.expect("abc")
        try await python.expect("sealed")
        try await python.expect("ready")
        python.kill()
        _ = try await python.ending()
        #expect(bytes(of: mapped, 200..<203) == "def")
        #expect(try MemoryFile.seals(of: file.descriptor).contains(.seal))
        #expect(throws: FacilityError.self) { try MemoryFile.add(.write, to: file.descriptor) }
    }

    @Test("a memory file may be empty, to get its size later; one of less than nothing there is not; a name has 249 bytes")
    func boundaries() throws {
        let file = try MemoryFile.make(named: "test", size: 0)
        #expect(try FileStatus(of: file.descriptor).size == 0)
        let negative = #expect(throws: FacilityError.self) { _ = try MemoryFile.make(named: "test", size: -1) }
        #expect(negative?.errno == .invalidArgument)
        _ = try MemoryFile.make(named: String(repeating: "x", count: 249), size: 1)
        let long = #expect(throws: FacilityError.self) { _ = try MemoryFile.make(named: String(repeating: "x", count: 250), size: 1) }
        #expect(long?.errno == .invalidArgument && long?.advice.contains("249 bytes") == true)
    }

    @Test("where the kernel does not know the seal against execution, the file is made without")
    func oldKernel() throws {
        let file = try SystemCallFaults.withFault("memfd_create", .invalidArgument) { try MemoryFile.make(named: "test", size: 4096) }
        #expect(try FileStatus(of: file.descriptor).permissions == .ownerReadWrite)
        #expect(try !MemoryFile.seals(of: file.descriptor).contains(.execute))
        // The seal is for what it is now.
        try file.descriptor.setPermissions(.ownerReadWrite)
        try MemoryFile.add(.execute, to: file.descriptor)
        #expect(throws: Errno.notPermitted) { try file.descriptor.setPermissions([.ownerReadWriteExecute]) }
    }

    @Test("a file that cannot be reserved is an error and leaves no descriptor")
    func noSpace() throws {
        let before = try openDescriptorCount()
        expectEach([.noSpace, .noMemory, .fileTooLarge, .invalidArgument], of: "posix_fallocate", .memoryFile) { () throws(FacilityError) in
            _ = try MemoryFile.make(named: "test", size: 4096)
        }
        #expect(try openDescriptorCount() == before)
    }

    @Test("each seal refuses what it names")
    func seals() throws {
        let file = try MemoryFile.make(named: "test", size: 8192)
        let number = file.descriptor.rawValue
        try MemoryFile.add(.shrink, to: file.descriptor)
        #expect(ftruncate(number, 4096) == -1 && errno == EPERM)
        #expect(ftruncate(number, 12_288) == 0, "growing is not sealed yet")
        try MemoryFile.add([.grow, .seal], to: file.descriptor)
        #expect(ftruncate(number, 16_384) == -1 && errno == EPERM)
        let sealed = #expect(throws: FacilityError.self) { try MemoryFile.add(.write, to: file.descriptor) }
        #expect(sealed?.errno == .notPermitted && sealed?.advice.contains("no more seals") == true)
        let seals = try MemoryFile.seals(of: file.descriptor)
        #expect(seals.isSuperset(of: [.shrink, .grow, .seal]))
        #expect(seals.isDisjoint(with: [.write, .futureWrite]))
    }

    @Test("K3 the seals against writing: a mapping that may write is in their way, or stays")
    func writeSeals() throws {
        let file = try MemoryFile.make(named: "test", size: 8192)
        do {
            let mapped = try MappedFile(file.descriptor)
            let busy = #expect(throws: FacilityError.self) { try MemoryFile.add(.write, to: file.descriptor) }
            #expect(busy?.errno == .resourceBusy && busy?.advice.contains("unmap") == true)
            try MemoryFile.add(.futureWrite, to: file.descriptor)
            store("still", in: mapped, at: 0)
            let later = #expect(throws: FacilityError.self) { _ = try MappedFile(file.descriptor) }
            #expect(later?.errno == .notPermitted && later?.advice.contains("sealed") == true)
        }
        try MemoryFile.add(.write, to: file.descriptor)
        #expect(try MemoryFile.seals(of: file.descriptor).isSuperset(of: [.futureWrite, .write]))
        #expect(throws: Errno.notPermitted) { _ = try file.descriptor.writeAll("x".utf8) }
        let reading = try MappedFile(file.descriptor, .private)
        #expect(bytes(of: reading, 0..<5) == "still")
    }

    @Test("a file without seals says so")
    func noSeals() throws {
        let directory = try TemporaryDirectory(in: "/var/tmp")
        let file = try Directory(opening: directory.path).makeUnnamedFile(mode: .ownerReadWrite)
        let error = #expect(throws: FacilityError.self) { _ = try MemoryFile.seals(of: file.descriptor) }
        #expect(error?.errno == .invalidArgument && error?.advice.contains("only memory files") == true)
    }

    @Test("K3 every errno of memfd_create and of the seals is told, with what to do")
    func errors() throws {
        let file = try MemoryFile.make(named: "test", size: 1)
        expectEach([.badAddress, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .notPermitted], of: "memfd_create", .memoryFile) {
            () throws(FacilityError) in _ = try MemoryFile.make(named: "test", size: 1)
        }
        expectEach([.notPermitted], of: "fchmod", .memoryFile) { () throws(FacilityError) in _ = try MemoryFile.make(named: "test", size: 1)
        }
        expectEach([.resourceBusy, .invalidArgument, .notPermitted, .badFileDescriptor], of: "fcntl(F_ADD_SEALS)", .memoryFile) {
            () throws(FacilityError) in try MemoryFile.add(.seal, to: file.descriptor)
        }
        expectEach([.invalidArgument, .badFileDescriptor], of: "fcntl(F_GET_SEALS)", .memoryFile) { () throws(FacilityError) in
            _ = try MemoryFile.seals(of: file.descriptor)
        }
    }
}
