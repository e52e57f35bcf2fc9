import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K3 memory files between programs")
struct MemoryProgramTests {
    /// What the other program tries, whether it is refused (EPERM) by which seal.
    private static let attempts: [(what: String, seal: MemoryFile.Seals)] = [
        ("os.ftruncate(3, 4096)", .shrink), ("os.ftruncate(3, 12288)", .grow), ("os.pwrite(3, b'x', 0)", .write),
        ("mmap.mmap(3, 4096).close()", .write), ("os.pwrite(3, b'x', 0)", .futureWrite), ("mmap.mmap(3, 4096).close()", .futureWrite),
        ("os.fchmod(3, 0o700)", .execute), ("fcntl.fcntl(3, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)", .seal),
    ]

    @Test("K3 each seal refuses another program what it names, and nothing before", arguments: attempts.indices)
    func seals(_ index: Int) async throws {
        let (what, seal) = Self.attempts[index]
        // The seal against execution is there from the beginning, where the kernel knows it.
        let file =
            seal == .execute
            ? try SystemCallFaults.withFault("memfd_create", .invalidArgument) { try MemoryFile.make(named: "test", size: 8192) }
            : try MemoryFile.make(named: "test", size: 8192)
        let python = try PeerProcess(obeying: [(file.descriptor, 3)])
        if seal != .seal { #expect(try await python.number(of: "refused(lambda: \(what))") == 0) }
        try await python.does("os.ftruncate(3, 8192); os.fchmod(3, 0o600)")
        try MemoryFile.add(seal, to: file.descriptor)
        #expect(try await python.number(of: "refused(lambda: \(what))") == 1)
        #expect(try await python.number(of: "fcntl.fcntl(3, fcntl.F_GET_SEALS)") & Int(seal.rawValue) == Int(seal.rawValue))
    }

    @Test(
        "K3 what another program has mapped before the seal against new writing it goes on writing; the seal against all writing is refused until it ends"
    )
    func mappedBefore() async throws {
        let file = try MemoryFile.make(named: "test", size: 4096)
        let python = try PeerProcess(obeying: [(file.descriptor, 3)])
        try await python.does("m = mmap.mmap(3, 4096)")
        let busy = #expect(throws: FacilityError.self) { try MemoryFile.add(.write, to: file.descriptor) }
        #expect(busy?.errno == .resourceBusy && busy?.advice.contains("unmap") == true)
        try MemoryFile.add(.futureWrite, to: file.descriptor)
        try await python.does("m[0:5] = b'still'")
        let mapped = try ReadOnlyMappedFile(file.descriptor)
        #expect(bytes(of: mapped, 0..<5) == "still")
        try await python.isKilled()
        try MemoryFile.add(.write, to: file.descriptor)
    }

    @Test(
        "K3 two programs share a memory file of huge pages",
        .enabled(if: HugePages.available.contains { ($0.free ?? 0) > 0 }, "needs a huge page in the pool (vm.nr_hugepages)"))
    func hugePages() async throws {
        for pages in HugePages.available where (pages.free ?? 0) > 0 {
            let file = try MemoryFile.make(named: "huge", size: 1, hugePages: pages)
            let mapped = try MappedFile(file.descriptor)
            let python = try PeerProcess(obeying: [(file.descriptor, 3)])
            try await python.does("m = mmap.mmap(3, \(pages.byteCount)); m[\(pages.byteCount - 5):] = b'there'")
            #expect(bytes(of: mapped, pages.byteCount - 5..<pages.byteCount) == "there")
            store("here", in: mapped, at: 0)
            #expect(try await python.value(of: "m[0:4].decode()") == "here")
            try await python.isKilled()
            #expect(bytes(of: mapped, pages.byteCount - 5..<pages.byteCount) == "there")
        }
    }
}
