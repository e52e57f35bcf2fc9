import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// What a first user gets wrong, and what a careless or hostile neighbour does to the shared bytes.
@Suite("Attacks on synchronization objects")
struct AttackTests {
    private let directory: TemporaryDirectory
    private var options: SynchronizationOptions { SynchronizationOptions(directory: directory.objects) }

    init() throws { directory = try TemporaryDirectory() }

    private func code(_ body: () throws(InterprocessError) -> Void) -> InterprocessError.Code? {
        do throws(InterprocessError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }

    // MARK: Impossible numbers

    @Test("S1 more units than a semaphore holds are refused, whatever it has")
    func signalTooMany() throws {
        let semaphore = try SharedSemaphore(named: "s", value: 1, options: options)
        for count in [Int.max, SharedSemaphore.maximum, -1, Int.min] {
            #expect(throws: WaitError.self) { try semaphore.signal(count) }
        }
        #expect(semaphore.value == 1)
    }

    @Test("S6 a barrier of more parties than there can be is refused")
    func tooManyParties() throws {
        let (options, directory) = (options, directory)
        for parties in [Int.max, Int.max - 2, 1001, 0, Int.min] {
            #expect(
                code { () throws(InterprocessError) in _ = try SharedBarrier(named: "b", parties: parties, options: options) }
                    == .invalidArgument)
        }
        let segment = try Segment.create("segment", size: 4096, in: directory.objects, maximumPeers: 8)
        #expect(code { () throws(InterprocessError) in _ = try SharedBarrier(in: segment, at: 0, parties: 9) } == .invalidArgument)
        #expect(try SharedBarrier(in: segment, at: 0, parties: 8).members == 1)
    }

    // MARK: Places in a segment

    @Test("S3 an object is not made over another, nor over bytes of the user's")
    func overlap() throws {
        let segment = try Segment.create("segment", size: 8192, in: directory.objects)
        let mutex = try SharedMutex<Int>(in: segment, at: 0, initial: 5)
        for offset in [64, 128] {
            #expect(code { () throws(InterprocessError) in _ = try SharedSemaphore(in: segment, at: offset, value: 3) } == .kindMismatch)
        }
        #expect(try mutex.withLock { $0 } == 5)
        // Its first word, one behind its words, and one that it would have had for its value.
        for place in [1024, 2048 + 80, 4096 + SharedMutex<Int>.byteCount - 1] {
            unsafe segment.withBytes { unsafe $0.storeBytes(of: 42, toByteOffset: place, as: UInt8.self) }
            let start = place / 1024 * 1024
            #expect(
                code { () throws(InterprocessError) in _ = try SharedMutex<Int>(in: segment, at: start, initial: 1) } == .kindMismatch)
            #expect(unsafe segment.withBytes { unsafe $0.load(fromByteOffset: place, as: UInt8.self) } == 42)
            unsafe segment.withBytes { unsafe $0.storeBytes(of: 0, toByteOffset: place, as: UInt8.self) }
            #expect(try SharedMutex<Int>(in: segment, at: start, initial: 1).withLock { $0 } == 1)
        }
    }

    @Test("S3 what a maker has left that is gone is made anew")
    func halfMade() throws {
        let segment = try Segment.create("segment", size: 4096, in: directory.objects)
        let gone = try Segment.open("segment", in: directory.objects).peer
        unsafe segment.withBytes { bytes in
            unsafe bytes.storeBytes(of: beingMade(by: gone), as: UInt64.self)
            unsafe bytes.storeBytes(of: 42, toByteOffset: 64, as: UInt32.self)
        }
        #expect(try SharedSemaphore(in: segment, at: 0, value: 3).value == 3)
    }

    // MARK: Neighbours

    @Test("S2 giving permits back survives a neighbour that writes what this process holds")
    func permitsUnderFire() throws {
        let permits = try SharedPermits(named: "p", units: SharedPermits.maximum, options: options)
        let slot = permits.monitor.words.slot(permits.segment.peer.slot)
        let (one, isOver) = (UInt64(permits.segment.peer.rawValue) | 1 << 32, Flag())
        try startServiceThread(named: "neighbour") {
            while !isOver.value.load(ordering: .relaxed) {
                slot.storeRelease(0)
                slot.storeRelease(one)
            }
            isOver.hasEnded.store(true, ordering: .releasing)
        }
        for _ in 0..<300_000 { try permits.tryAcquire()?.release() }
        isOver.value.store(true, ordering: .relaxed)
        try eventuallyBlocking("the neighbour's end") { isOver.hasEnded.load(ordering: .acquiring) }
    }

    private final class Flag: Sendable {
        let value = Atomic<Bool>(false), hasEnded = Atomic<Bool>(false)
    }

    @Test("S2 looking in the lock again and again takes no stack")
    func countThatDoesNotStand() throws {
        let permits = try SharedPermits(named: "p", units: 1, options: options)
        let permit = try permits.acquire()
        let words = permits.monitor.words
        var (call, inner, looks) = (WaitingCall(maySleep: true), Monitor.Call(), 0)
        let look: Look<Void?> = permits.monitor.look(&call, &inner) { _ in
            looks += 1
            // As if somebody died whenever this has looked.
            if looks < 100_000 { words.deathsSeen.storeRelaxed(words.deathsSeen.loadRelaxed() &+ 1) }
            return nil
        }
        guard case .sleep = look else { throw TimedOut("the look did not end in a sleep", .zero) }
        #expect(looks == 100_000)
        permit.release()
    }

    // MARK: Marks and heirs

    @Test("S2 who has slept on a monitor's lock marks it when it takes it, and is its heir no more")
    func markOfWhoHasSlept() throws {
        let permits = try SharedPermits(named: "p", units: 1, options: options)
        let other = try SharedPermits(named: "p", units: 1, options: options)
        let (word, heir) = (permits.monitor.words.word, permits.monitor.words.heir)
        let mine = ClaimWord.of(permits.segment.peer)
        var (call, inner) = (WaitingCall(maySleep: true), Monitor.Call())
        func look() -> (Look<UInt32?>) { permits.monitor.look(&call, &inner) { _ in word.loadRelaxed() } }

        // Another is in the lock, for so long that this call becomes the heir.
        word.storeRelaxed(ClaimWord.of(other.segment.peer))
        try eventuallyBlocking("the patience of who waits") {
            guard case .sleep = look() else { return false }
            return heir.loadRelaxed() == mine
        }
        // It lets go, and takes the mark away since it had found nobody asleep a moment ago.
        word.storeRelaxed(ClaimWord.free)
        guard case .done(let seen?) = look() else { throw TimedOut("the lock was not taken", .zero) }
        #expect(seen == mine | ClaimWord.marked)
        #expect(heir.loadRelaxed() == ClaimWord.free)
        withExtendedLifetime(other) {}
    }

    // MARK: Told of the dead

    @Test("S6 a latch tells of each of several that die at once, and of each once")
    func severalDeathsAtOnce() async throws {
        let segment = try Segment.create("segment", size: 4096, in: directory.objects)
        let latch = try SharedLatch(in: segment, at: 0, count: 3)
        var (peers, expected): ([PeerProcess], Set<Int32>) = ([], [])
        for _ in 0..<3 {
            let peer = try PeerProcess("attach", [directory.path.string, "segment"])
            _ = try await peer.line()
            peers.append(peer)
            expected.insert(peer.pid)
        }
        peers = []  // kills them
        try await eventually("three deaths") { segment.deathCount == 3 }
        var told: [Int32] = []
        for _ in 0..<3 {
            guard case .peerDied(let notice)? = waitNow(latch) else { break }
            told.append(notice.pid)
        }
        #expect(told.count == 3)
        #expect(Set(told) == expected)
        #expect(waitNow(latch) == .deadline)
        // Another thread, which had read the count before the last two.
        #expect(latch.newLoss(before: 1) == nil)
        #expect(waitNow(latch) == .deadline)
    }

    private func waitNow(_ latch: SharedLatch) -> RendezvousError? {
        do throws(RendezvousError) {
            try latch.wait(until: .now)
            return nil
        } catch {
            return error
        }
    }

    // MARK: Overloads

    @Test("S8 in a task, a body without an argument suspends too, and is cancelled")
    func onceInATask() async throws {
        let once = try SharedOnce(named: "once", options: options)
        let other = try SharedOnce(named: "once", options: options)
        // Somebody is at it.
        other.object.words.word.storeRelaxed(ClaimWord.of(other.segment.peer))
        let task = Task { try await once.run(until: .after(.seconds(3))) {} }
        task.cancel()
        await #expect(throws: WaitError.cancelled) { try await task.value }
        withExtendedLifetime(other) {}
    }
}
