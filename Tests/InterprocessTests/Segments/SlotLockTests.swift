import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

/// The lock that keeps keepers of one thread id, in different pid namespaces, from being taken for one another.
@Suite("Namesakes")
struct SlotLockTests {
    @Test("L1 L3 a slot is claimed only while no keeper of the same thread id is at it; others do not wait")
    func namesake() throws {
        let directory = try TemporaryDirectory()
        let first = try Segment.create("a", size: 100, in: directory.objects)
        let table = first.attachment.table
        let thread = unsafe table.life(first.peer.slot).loadAcquire() & ~(RobustList.waiters | RobustList.died)
        // As a namesake would hold it.
        let file = try Directory(opening: directory.path).open("a")
        #expect(try FileLock.tryLock(file.descriptor, .exclusive, byte: SegmentFile.slotLock(thread &+ 1)))
        do {
            let second = try Segment.open("a", in: directory.objects)
            #expect(first.peers.count == 2)
            // Leaving does without, after a moment.
            #expect(try FileLock.tryLock(file.descriptor, .exclusive, byte: SegmentFile.slotLock(thread)))
            withExtendedLifetime(second) {}
        }
        #expect(first.peers.count == 1)
        let refused = refusal { _ = try Segment.open("a", in: directory.objects) }
        #expect(refused?.code == .busy)
        #expect(first.peers.count == 1)
        try FileLock.unlock(file.descriptor, byte: SegmentFile.slotLock(thread))
        let third = try Segment.open("a", in: directory.objects)
        #expect(first.peers.count == 2)
        withExtendedLifetime(third) {}
    }
}
