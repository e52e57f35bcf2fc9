import CInterprocess
import CTestSystem
import Glibc
import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Repair by the survivors")
struct RepairTests {
    @Test(
        "L3 survivors that die while repairing: the next one finishes, everything is given back, and each death is told once with what was held",
        arguments: 0..<4)
    func repairersDie(_ step: Int) async throws {
        // In a process of its own, so that its children are forks of one that has not used the library yet.
        switch step {
        case 0: await #expect(processExitsWith: .success) { try ThreeRepairers(dyingAtStep: 0).run() }
        case 1: await #expect(processExitsWith: .success) { try ThreeRepairers(dyingAtStep: 1).run() }
        case 2: await #expect(processExitsWith: .success) { try ThreeRepairers(dyingAtStep: 2).run() }
        default: await #expect(processExitsWith: .success) { try ThreeRepairers(dyingAtStep: 3).run() }
        }
    }

    /// How far a repairer had come with a dead peer when it died itself.
    enum Progress: CaseIterable { case claimed, prepared, published, slotNoLongerJoined, slotNewGeneration, slotFree }

    @Test(
        "L3 whatever a dead repairer has left half done is finished by the next survivor, also when all records of deaths were used before",
        arguments: Progress.allCases, [0, 31, 32, 33])
    func halfDone(_ progress: Progress, _ earlier: Int) async throws {
        let directory = try TemporaryDirectory()
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let table = segment.attachment.table
        for number in 0..<earlier {
            table.prepareRecord(of: PeerID(slot: 7, generation: UInt32(1 + number)), by: nil, holding: [])
            table.publishRecord()
        }
        let before = segment.deathCount
        let log = DeathLog(segment)
        // A victim and its repairer, both dead, as the kernel and they themselves have left them.
        let victim = PeerID(slot: 5, generation: table.generation(5).loadAcquire())
        let repairer = PeerID(slot: 6, generation: table.generation(6).loadAcquire())
        for peer in [victim, repairer] {
            table.publish(peer, .current())
            table.callerLife(peer.slot).storeRelease(0xc000_0000)
        }
        table.repair.storeRelease(repairer.rawValue)
        if progress >= .prepared { table.prepareRecord(of: victim, by: repairer, holding: .sender) }
        if progress >= .published { table.publishRecord() }
        if progress >= .slotNoLongerJoined { table.state(5).storeRelease(0) }
        if progress >= .slotNewGeneration { table.generation(5).storeRelease(victim.generation + 1) }
        // The lives last: from then on the keeper may find them.
        if progress < .slotFree { table.life(5).storeRelease(0xc000_0000) } else { table.callerLife(5).storeRelease(0) }
        table.life(6).storeRelease(0xc000_0000)
        table.membership.add(1)
        unsafe Futex.wake(table.membership.rawAddress)

        try await eventually("both are given back") { table.life(5).loadAcquire() == 0 && table.life(6).loadAcquire() == 0 }
        try await eventually("the claim is given back") { table.repair.loadAcquire() == 0 }
        #expect(segment.deathCount == before + 2)
        let notices = table.notices(since: before).notices
        #expect(Set(notices.map(\.peer)) == [victim, repairer])
        if progress >= .prepared {
            #expect(notices.first { $0.peer == victim }?.held == .sender, "what the dead repairer had found is not lost")
        }
        #expect(table.condition(of: victim) == .gone && table.condition(of: repairer) == .gone)
        #expect(segment.peers.map(\.id) == [segment.peer])
        #expect([5, 6].allSatisfy { table.callerLife($0).loadAcquire() == 0 && table.state($0).loadAcquire() == 0 })
        // Each once, behind those before.
        var told: [PeerID] = []
        while told.count < 2 {
            let peer = try await log.next().peer
            if peer.slot != 7 { told.append(peer) }
        }
        #expect(Set(told) == [victim, repairer])
    }

    @Test("L3 a repair that a living peer is at is left to it", arguments: [false, true])
    func livingRepairer(isStopped: Bool) async throws {
        let directory = try TemporaryDirectory()
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let table = segment.attachment.table
        let other = try PeerProcess("attach", [directory.path.string, "s"])
        _ = try await other.line()
        let repairer = try #require(segment.peers.first { $0.pid == other.pid }?.id)
        other.signal(Signal.stop)
        try await eventually("it is stopped") { try processState(other.pid) == "T" }
        // As if it had been stopped just after it had claimed the repair of a dead peer.
        table.repair.storeRelease(repairer.rawValue)
        table.life(5).storeRelease(0xc000_0000)
        #expect(!Repair(table: table, recovery: .none, me: segment.peer).run())
        #expect(table.life(5).loadAcquire() == 0xc000_0000 && table.repair.loadAcquire() == repairer.rawValue)
        if isStopped {
            // It goes on, and finds the claim its own.
            other.signal(Signal.continue)
            table.membership.add(1)
            unsafe Futex.wake(table.membership.rawAddress)
        } else {
            other.kill()
        }
        try await eventually("the dead are given back") { table.life(5).loadAcquire() == 0 && table.repair.loadAcquire() == 0 }
        try await eventually("its death is counted") { segment.deathCount == (isStopped ? 0 : 1) }
    }
}

extension RepairTests.Progress: Comparable {
    static func < (a: Self, b: Self) -> Bool {
        allCases.firstIndex(of: a).map { index in allCases.firstIndex(of: b).map { index < $0 } ?? false } ?? false
    }
}

/// Two peers that hold something and are killed; two that die when they have come to some step of the repair; and a survivor, which is stopped until all of
/// them are dead.
private struct ThreeRepairers {
    /// Words of the segment's bytes, 64 bytes apart.
    enum Word: Int { case held, recoveries, told }
    private static let victims = 2, repairers = 2

    private let directory: TemporaryDirectory
    private let step: Int

    /// - Parameter step: how many times a repairer has been asked by then what a peer held, or to give it back: twice for each dead peer.
    init(dyingAtStep step: Int) throws {
        directory = try TemporaryDirectory()
        self.step = step
    }

    private static func word(_ word: Word, of mapping: SegmentMapping) -> SharedUInt32 {
        unsafe SharedUInt32(at: mapping.data + word.rawValue * 64)
    }

    /// Each bit of `held` is one slot's claim.
    private static func recovery(dyingAt step: Int?) -> ObjectRecovery {
        let steps = Counter()
        @Sendable func mayDie() { if steps.next() == step { kill(getpid(), SIGKILL) } }
        return ObjectRecovery(
            claims: { mapping, peer in
                mayDie()
                return word(.held, of: mapping).loadAcquire() & 1 << UInt32(peer.slot) != 0 ? .sender : []
            },
            recover: { mapping, peer in
                word(.held, of: mapping).clearBits(1 << UInt32(peer.slot))
                word(.recoveries, of: mapping).add(1)
                mayDie()
            })
    }

    private func open(dyingAt step: Int?) throws -> Segment {
        let plan = SegmentPlan(
            kind: .plain, objectSize: 0, dataSize: 4096, mirrorsData: false, capacity: 4096, element: .bytes, lifetime: .untilRemoved,
            maximumPeers: 8)
        return try Segment.make(
            .openOrCreate, plan, SegmentPlace(name: "s", directory: directory.objects), .ownerReadWrite, minimumCapacity: nil,
            recovery: Self.recovery(dyingAt: step), keepAbandoned: { _ in true }, initialize: { _ in })
    }

    /// A child that is a peer until it is killed.
    private func start(holding: Bool, dyingAt step: Int?) throws -> Int32 {
        try fork {
            let segment = try open(dyingAt: step)
            if holding { Self.word(.held, of: segment.mapping).setBits(1 << UInt32(segment.peer.slot)) }
            Self.word(.told, of: segment.mapping).add(1)  // ready
            while true { pause() }
        }
    }

    func run() throws {
        let path = directory.path(of: "s")
        let victims = try (0..<Self.victims).map { _ in try start(holding: true, dyingAt: nil) }
        let repairers = try (0..<Self.repairers).map { _ in try start(holding: false, dyingAt: step) }
        let survivor = try fork { try survive() }
        let all = UInt32(Self.victims + Self.repairers + 1)
        try eventuallyBlocking("all are there") {
            guard let bytes = try? SegmentBytes(path, readOnly: true) else { return false }
            return try bytes.load(UInt32.self, at: Int(bytes.load(\.data_offset)) + Word.told.rawValue * 64) == all
        }
        var status: CInt = 0
        // The victims too: one must not repair the other before it is killed itself.
        for child in victims + repairers + [survivor] {
            kill(child, SIGSTOP)
            unsafe waitpid(child, &status, WUNTRACED)
        }
        for victim in victims { kill(victim, SIGKILL) }
        for victim in victims { waitpid(victim, nil, 0) }
        // The first to go on finds both victims, and dies; the second finds the rest, and dies too.
        for repairer in repairers { kill(repairer, SIGCONT) }
        for repairer in repairers {
            let status = try end(of: repairer)
            precondition(status == SIGKILL, "repairer \(repairer) ended with status \(status)")
        }
        kill(survivor, SIGCONT)
        let ending = try end(of: survivor)
        precondition(ending == 0, "the survivor ended with status \(ending)")
    }

    private func end(of child: Int32) throws -> CInt {
        var status: CInt = 0
        try eventuallyBlocking("the end of child \(child)") { unsafe waitpid(child, &status, WNOHANG) == child }
        return status
    }

    /// In the survivor: all that is left must be put right, whatever the repairers have done of it.
    private func survive() throws {
        let segment = try open(dyingAt: nil)
        let table = segment.attachment.table
        Self.word(.told, of: segment.mapping).add(1)  // ready
        let deaths = UInt32(Self.victims + Self.repairers)
        try eventuallyBlocking("all deaths are announced") { segment.deathCount >= deaths && table.repair.loadAcquire() == 0 }
        try eventuallyBlocking("all slots are given back") { segment.peers.map(\.id) == [segment.peer] }
        let notices = table.notices(since: 0).notices
        precondition(segment.deathCount == deaths && Set(notices.map(\.peer)).count == Int(deaths), "told twice: \(notices)")
        precondition(notices.filter { $0.held == .sender }.count == Self.victims, "what was held is not told: \(notices)")
        precondition(Self.word(.held, of: segment.mapping).loadAcquire() == 0, "something was not given back")
        precondition((0..<table.count).allSatisfy { $0 == segment.peer.slot || table.life($0).loadAcquire() == 0 })
    }

    /// Runs `body` in a forked child, which ends well only if it does not throw. Nothing has been forked before from a process that uses the library.
    private func fork(_ body: @escaping () throws -> Void) throws -> Int32 {
        let box = Box(body)
        let pid = unsafe test_fork(
            { context in
                do {
                    try unsafe Unmanaged<Box>.fromOpaque(context!).takeUnretainedValue().body()
                    return 0
                } catch {
                    print("a child of the test: \(error)")
                    return 1
                }
            }, Unmanaged.passUnretained(box).toOpaque())
        guard pid > 0 else { throw Errno(rawValue: -pid) }
        return pid
    }

    private final class Box {
        let body: () throws -> Void
        init(_ body: @escaping () throws -> Void) { self.body = body }
    }
}

/// Counts calls, from 0.
private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    func next() -> Int { count.add(1, ordering: .relaxed).oldValue }
}
