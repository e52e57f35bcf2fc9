import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import InterprocessSystem

@Suite("K3 anonymous memory")
struct AnonymousMemoryTests {
    @Test("K3 a forked child and its parent see what the other stores; a child's death changes nothing; another program looks into it")
    func purpose() async throws {
        let peer = try PeerProcess("fork-memory")
        // What the child has stored before it killed itself, and where.
        let words = try await peer.line().split(separator: " ").map(String.init)
        #expect(words[0] == "parent-child")
        // Another program has it by the kernel's own list of what a process has mapped.
        guard Privilege.isRoot else { return }
        let python = try PeerProcess(
            python: """
                import mmap, os, sys
                place = int(sys.argv[2])
                path = '/proc/%s/map_files/%x-%x' % (sys.argv[1], place, place + 4096)
                memory = mmap.mmap(os.open(path, os.O_RDWR), 4096)
                print(memory[0:12].decode(), flush=True)
                memory[0:6] = b'python'
                """, ["\(peer.pid)", words[1]])
        try await python.expect("parent-child")
        #expect(try await python.ending() == .exited(0))
        try peer.send("look")
        try await peer.expect("python-child")
    }

    @Test("K3 memory of nothing, and of more than there are addresses, is refused; it is unmapped with its value")
    func boundaries() throws {
        for count in [0, -1] {
            let error = #expect(throws: FacilityError.self) { _ = try AnonymousMemory(byteCount: count) }
            #expect(error?.errno == .invalidArgument)
        }
        let error = #expect(throws: FacilityError.self) { _ = try AnonymousMemory(byteCount: .max) }
        #expect(error?.errno == .noMemory && error?.advice.contains("ask for less") == true)
        var start = ""
        func isThere() throws -> Bool { try mappings { $0.hasPrefix(start) } > 0 }
        do {
            let memory = try AnonymousMemory(byteCount: 1, populated: true)
            #expect(memory.byteCount == 1)
            start = unsafe memory.withUnsafeBytes { String(UInt(bitPattern: $0.baseAddress!), radix: 16) } + "-"
            #expect(try isThere())
        }
        #expect(try !isThere())
    }

    @Test("K3 huge pages come from the machine's pool, or the error says that it is empty")
    func hugePages() throws {
        for pages in HugePages.available {
            let free = try #require(pages.free)
            do throws(FacilityError) {
                let memory = try AnonymousMemory(byteCount: 1, hugePages: pages)
                store("x", in: memory, at: 0)
                #expect(free > 0)
            } catch {
                #expect(error.errno == .noMemory && error.advice.contains("vm.nr_hugepages"), "\(error)")
            }
            do throws(FacilityError) {
                let file = try MemoryFile.make(named: "huge", size: 1, hugePages: pages)
                let mapped = try MappedFile(file.descriptor)
                #expect(mapped.byteCount == pages.byteCount && free > 0)
            } catch {
                #expect([.noMemory, .noSpace].contains(error.errno) && error.advice.contains("vm.nr_hugepages"), "\(error)")
            }
        }
    }

    @Test(
        "K3 memory is placed on nodes, which the kernel then says; a node that there is not is refused",
        .enabled(if: MemoryPolicy.nodes != nil))
    func nodes() throws {
        let nodes = try #require(MemoryPolicy.nodes)
        #expect(nodes.first == 0)
        let memory = try AnonymousMemory(byteCount: 4096)
        let start = unsafe memory.withUnsafeBytes { String(UInt(bitPattern: $0.baseAddress!), radix: 16) }
        func policy() throws -> Substring? { try lines(of: "/proc/self/numa_maps").first { $0.hasPrefix(start) }?.split(separator: " ")[1] }
        for (wanted, name) in [
            (MemoryPolicy.bound([0]), "bind:0"), (.interleaved([0]), "interleave:0"), (.preferred(0), "prefer:0"), (.local, "local"),
            (.standard, "default"),
        ] {
            try memory.place(wanted, moving: true)
            #expect(try policy().map(String.init) == name)
        }
        for policy in [MemoryPolicy.bound([1023]), .bound([1024]), .bound([-1]), .bound([]), .interleaved([])] {
            let error = #expect(throws: FacilityError.self, "\(policy)") { try memory.place(policy) }
            #expect(error?.errno == .invalidArgument && error?.advice.contains("MemoryPolicy.nodes") == true)
            #expect(throws: FacilityError.self) { try policy.setForThread() }
        }
        try MemoryPolicy.bound([0]).setForThread()
        try MemoryPolicy.standard.setForThread()
    }

    @Test("K3 every errno of mbind and set_mempolicy is told, with what to do")
    func errors() throws {
        let memory = try AnonymousMemory(byteCount: 4096)
        let errors: [Errno] = [.badAddress, .invalidArgument, .ioError, .noMemory, .notPermitted, .noFunction]
        expectEach(errors, of: "mbind", .mappedMemory) { () throws(FacilityError) in try memory.place(.local) }
        expectEach(errors, of: "set_mempolicy", .mappedMemory) { () throws(FacilityError) in try MemoryPolicy.standard.setForThread() }
    }
}
