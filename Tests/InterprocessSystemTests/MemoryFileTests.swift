import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("Memory files")
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

    @Test("a memory file may be empty, to get its size later")
    func empty() throws {
        let file = try MemoryFile.make(named: "test", size: 0)
        #expect(try FileStatus(of: file.descriptor).size == 0)
    }

    @Test("where the kernel does not know the seal against execution, the file is made without")
    func oldKernel() throws {
        let file = try SystemCallFaults.withFault("memfd_create", .invalidArgument) { try MemoryFile.make(named: "test", size: 4096) }
        #expect(try FileStatus(of: file.descriptor).permissions == .ownerReadWrite)
        #expect(try !MemoryFile.seals(of: file.descriptor).contains(.execute))
    }

    @Test("a file that cannot be reserved is an error and leaves no descriptor")
    func noSpace() throws {
        #expect(throws: Errno.noSpace) {
            try SystemCallFaults.withFault("posix_fallocate", .noSpace) { _ = try MemoryFile.make(named: "test", size: 4096) }
        }
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
        #expect(throws: Errno.notPermitted) { try MemoryFile.add(.write, to: file.descriptor) }
        let seals = try MemoryFile.seals(of: file.descriptor)
        #expect(seals.isSuperset(of: [.shrink, .grow, .seal]))
        #expect(seals.isDisjoint(with: [.write, .futureWrite]))
    }

    @Test("a file without seals says so")
    func noSeals() throws {
        let directory = try TemporaryDirectory(in: "/var/tmp")
        let file = try Directory(opening: directory.path).makeUnnamedFile(mode: .ownerReadWrite)
        #expect(throws: Errno.invalidArgument) { _ = try MemoryFile.seals(of: file.descriptor) }
    }
}
