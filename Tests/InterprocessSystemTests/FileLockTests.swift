import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("File locks")
struct FileLockTests {
    private let temporary: TemporaryDirectory

    init() throws {
        temporary = try TemporaryDirectory()
        let directory = try Directory(opening: temporary.path)
        let file = try directory.makeUnnamedFile(mode: .ownerReadWrite)
        try directory.link(file.descriptor, as: "lock")
    }

    private func open() throws -> OwnedDescriptor { try Directory(opening: temporary.path).open("lock") }

    @Test("locks belong to openings: two of one process exclude each other")
    func openings() throws {
        let first = try open()
        let second = try open()
        #expect(try FileLock.tryLock(first.descriptor, .exclusive))
        #expect(try !FileLock.tryLock(second.descriptor, .exclusive))
        #expect(try !FileLock.tryLock(second.descriptor, .shared))
        #expect(try FileLock.isHeldByAnother(second.descriptor, against: .shared))
        #expect(try !FileLock.isHeldByAnother(first.descriptor, against: .exclusive), "its own lock is not in its way")
        #expect(try FileLock.tryLock(first.descriptor, .shared), "a lock is changed in place")
        #expect(try FileLock.tryLock(second.descriptor, .shared))
        #expect(try !FileLock.tryLock(first.descriptor, .exclusive))
        try FileLock.unlock(second.descriptor)
        #expect(try FileLock.tryLock(first.descriptor, .exclusive))
    }

    @Test("closing one descriptor of an opening keeps the lock, closing the last gives it back")
    func closing() throws {
        let other = try open()
        let first = try open()
        let copy = OwnedDescriptor(owning: try first.descriptor.duplicate())
        #expect(try FileLock.tryLock(copy.descriptor, .exclusive))
        try first.release().close()
        #expect(try FileLock.isHeldByAnother(other.descriptor, against: .shared))
        try copy.release().close()
        #expect(try FileLock.tryLock(other.descriptor, .exclusive))
    }

    @Test("the kernel gives a killed process's lock back, and a waiting one gets it")
    func killed() async throws {
        let peer = try PeerProcess("lock", [temporary.path.string, "lock"])
        try await peer.expect("locked")
        let file = try open()
        let descriptor = file.descriptor
        #expect(try !FileLock.tryLock(descriptor, .shared))
        let thread = Task.detached { try FileLock.lock(descriptor, .exclusive) }
        peer.kill()
        try await thread.value
        #expect(try await peer.ending() == .signalled(Signal.kill))
    }
}
