import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("S9 file locks: what fork, dup and close do")
struct FileLockInheritanceTests {
    private let file: FileLockFile

    init() throws { file = try FileLockFile() }

    @Test("S9 a record lock is lost when any descriptor of the file is closed, as is said; others are not", arguments: FileLock.Kind.all)
    func closingAnother(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        #expect(try await peer.ask("try", kind) == "true")
        #expect(try !kind.lock(own).tryLock())
        #expect(try await peer.ask("close-another", kind) == "done")
        #expect(try kind.lock(own).tryLock() == (kind == .record))
    }

    @Test("S9 a duplicate of the descriptor keeps the lock, unless it is a record lock", arguments: FileLock.Kind.all)
    func duplicates(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        #expect(try await peer.ask("try", kind) == "true")
        #expect(try await peer.ask("dup-and-close", kind) == "done")
        #expect(try kind.lock(own).tryLock() == (kind == .record))
    }

    @Test("S9 the lock of an opening can be given back by a duplicate", arguments: FileLock.Kind.ofOpenings)
    func oneOwner(_ kind: FileLock.Kind) throws {
        let first = try file.open(), other = try file.open()
        let copy = OwnedDescriptor(owning: try first.descriptor.duplicate())
        #expect(try kind.lock(first).tryLock())
        #expect(try kind.lock(copy).tryLock(), "one owner")
        #expect(try !kind.lock(other).tryLock())
        try kind.lock(copy).unlock()
        #expect(try kind.lock(other).tryLock())
    }

    @Test("S9 a forked child has its parent's lock, unless it is a record lock", arguments: FileLock.Kind.all)
    func forks(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        #expect(try await peer.ask("try", kind) == "true")
        try peer.order("fork-try", kind, .exclusive, 0..<Int64.max)
        try await peer.expect("child \(kind != .record)")
        try await peer.expect("done")
        #expect(try !kind.lock(own).tryLock(), "the parent's lock outlives the child")
        #expect(try await peer.ask("fork-unlock", kind) == "done")
        #expect(try kind.lock(own).tryLock() == (kind != .record), "either gives it back, but for a record lock")
    }

    @Test("S9 a held lock whose value ends in a forked child stays the parent's", arguments: FileLock.Kind.all)
    func heldInChild(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        #expect(try await peer.ask("fork-held", kind) == "done")
        #expect(try !kind.lock(own).tryLock())
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        #expect(try kind.lock(own).tryLock())
    }
}
