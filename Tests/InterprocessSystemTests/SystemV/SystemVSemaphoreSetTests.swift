import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K4 System V semaphores")
struct SystemVSemaphoreSetTests {
    private let key = SystemVKey.random()

    private func withSet(_ count: Int = 2, _ body: (SystemVSemaphoreSet) async throws -> Void) async throws {
        let set = try SystemVSemaphoreSet.create(key, count: count)
        try await removing({ try set.remove() }, after: { try await body(set) })
    }

    /// Each line is an operation: triples of index, change and whether it is to be undone.
    private static let python =
        SystemVPython.prelude + """
            set = check(lib.semget(int(sys.argv[1]), 0, 0))
            class Part(ctypes.Structure): _fields_ = [('index', ctypes.c_ushort), ('change', ctypes.c_short), ('flags', ctypes.c_short)]
            say('ready', set)
            for line in sys.stdin:
                numbers = [int(word) for word in line.split()]
                parts = [Part(numbers[i], numbers[i + 1], 0x1000 if numbers[i + 2] else 0) for i in range(0, len(numbers), 3)]
                result = lib.semop(set, (Part * len(parts))(*parts), len(parts))
                say('done' if result == 0 else 'errno %d' % ctypes.get_errno())
            """

    private func start(_ set: SystemVSemaphoreSet) async throws -> PeerProcess {
        let python = try PeerProcess(python: Self.python, ["\(key.rawValue)"])
        try await python.expect("ready \(set.identifier)")
        return python
    }

    @Test("K4 operations with another program's: all parts or none, waiting, and undone when it is killed")
    func purpose() async throws {
        try await withSet { set in
            #expect(try set.values() == [0, 0])
            #expect(try !set.hasBeenUsed())
            let python = try await start(set)
            try set.operate([.add(3, to: 0), .add(1, to: 1)])
            #expect(try set.hasBeenUsed())
            try python.send("0 -2 1 1 1 0")
            try await python.expect("done")
            #expect(try set.values() == [1, 2])
            let lastProcess = try set.waiting(for: 0).lastProcess
            #expect(lastProcess == python.pid)
            // Not all of it is possible: nothing happens.
            #expect(try !set.tryOperate([.take(2, from: 1), .take(2, from: 0)]))
            #expect(try set.values() == [1, 2])
            try python.send("0 -4 0")
            try await eventually("it waits") { try set.waiting(for: 0).takers == 1 }
            let late = #expect(throws: FacilityError.self) { try set.operate([.take(3, from: 1)], until: after(milliseconds: 5)) }
            #expect(late?.isDeadline == true)
            try set.operate([.add(3, to: 0)])
            try await python.expect("done")
            #expect(try set.values() == [0, 2])
            // It had taken two of the first, to be undone; what it did without stays.
            python.kill()
            _ = try await python.ending()
            #expect(try set.values() == [2, 2])
            try set.operate([.take(2, from: 0), .waitForZero(0)])
        }
    }

    @Test("K4 what a killed process did is undone where it said so, and stays where it did not")
    func undone() async throws {
        try await withSet { set in
            try set.setValues([3, 0])
            let peer = try PeerProcess("take-units", ["\(key.rawValue)"])
            try await peer.expect("took")
            #expect(try set.values() == [1, 1])
            peer.kill()
            _ = try await peer.ending()
            #expect(try set.values() == [3, 1])
        }
    }

    @Test("K4 waiting: for units, for zero, and until the set is removed")
    func waiting() async throws {
        try await withSet { set in
            let python = try await start(set)
            try set.setValues([0, 2])
            // Ours waits for what the other one does.
            try python.send("1 0 0")
            try await eventually("it waits for zero") { try set.waiting(for: 1).forZero == 1 }
            try set.operate([.take(2, from: 1)], until: .after(watchdog))
            try await python.expect("done")
            try python.send("0 1 0")
            try set.operate([.take(1, from: 0)])
            try await python.expect("done")
            try python.send("0 -1 0")
            try await eventually("it waits") { try set.waiting(for: 0).takers == 1 }
            try set.remove()
            try await python.expect("errno \(Errno.identifierRemoved.rawValue)")
            let gone = #expect(throws: FacilityError.self) { try set.operate([.add(1, to: 0)]) }
            #expect(gone?.errno == .invalidArgument || gone?.errno == .identifierRemoved)
        }
    }

    @Test("K4 a set is made once, found by key and by number, with what it was made with")
    func names() async throws {
        let missing = #expect(throws: FacilityError.self) { _ = try SystemVSemaphoreSet.open(key) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == key.description)
        try await withSet(3) { set in
            let taken = #expect(throws: FacilityError.self) { _ = try SystemVSemaphoreSet.create(key, count: 1) }
            #expect(taken?.errno == .fileExists)
            #expect(try SystemVSemaphoreSet.open(key) == set)
            #expect(try SystemVSemaphoreSet(identifier: set.identifier) == set)
            let count = try SystemVSemaphoreSet.openOrCreate(key, count: 2).count
            #expect(count == 3)
            let more = #expect(throws: FacilityError.self) { _ = try SystemVSemaphoreSet.openOrCreate(key, count: 4) }
            #expect(more?.errno == .invalidArgument)
            let permissions = try set.access().permissions
            #expect(permissions == .ownerReadWrite)
        }
    }

    @Test("K4 one semaphore, one unit, one part more than fits; what means nothing is refused")
    func boundaries() async throws {
        for count in [0, -1, try #require(SystemVSemaphoreSet.Limits.semaphoresPerSet) + 1] {
            let error = #expect(throws: FacilityError.self) { _ = try SystemVSemaphoreSet.create(key, count: count) }
            #expect(error?.errno == .invalidArgument && error?.advice.contains("semaphoresPerSet") == true, "\(count)")
        }
        try await withSet { set in
            let most = SystemVSemaphoreSet.Limits.value
            try set.setValue(most, of: 1)
            let wrong: [([SystemVSemaphoreSet.Part], Errno)] = [
                ([.add(1, to: 1)], .outOfRange), ([.add(32_768, to: 0)], .outOfRange), ([.take(.max, from: 0)], .outOfRange),
                ([.add(1, to: 2)], .fileTooLarge), ([.add(1, to: -1)], .fileTooLarge),
                ([.add(1, to: 65_536)], .fileTooLarge), ([.add(0, to: 0)], .invalidArgument), ([.take(0, from: 0)], .invalidArgument),
                ([.take(-1, from: 0)], .invalidArgument), ([.take(.min, from: 0)], .invalidArgument), ([], .invalidArgument),
                (Array(repeating: .add(1, to: 0), count: try #require(SystemVSemaphoreSet.Limits.operationsAtOnce) + 1), .argListTooLong),
            ]
            for (parts, errno) in wrong {
                let error = #expect(throws: FacilityError.self, "\(parts)") { _ = try set.tryOperate(parts) }
                #expect(error?.errno == errno, "\(parts)")
            }
            #expect(try set.values() == [0, most])
            for values in [[], [1], [1, 2, 3]] {
                let error = #expect(throws: FacilityError.self) { try set.setValues(values) }
                #expect(error?.errno == .invalidArgument)
            }
            for value in [-1, most + 1, .max] {
                #expect(throws: FacilityError.self) { try set.setValues([value, 0]) }
                #expect(throws: FacilityError.self) { try set.setValue(value, of: 0) }
            }
            #expect(throws: FacilityError.self) { try set.setValue(1, of: 2) }
            #expect(try set.values() == [0, most])
        }
    }

    @Test("K4 every errno of the sem calls is told, with what to do")
    func errors() async throws {
        try await withSet { set in
            expectEach(
                [.permissionDenied, .fileExists, .invalidArgument, .noSuchFileOrDirectory, .noMemory, .noSpace], of: "semget",
                .systemVSemaphoreSet
            ) { () throws(FacilityError) in _ = try SystemVSemaphoreSet.open(key) }
            let operating: [Errno] = [
                .argListTooLong, .permissionDenied, .badAddress, .fileTooLarge, .identifierRemoved, .invalidArgument, .noMemory,
                .outOfRange,
                .noSpace,
            ]
            expectEach(operating, of: "semop", .systemVSemaphoreSet) { () throws(FacilityError) in try set.operate([.add(1, to: 0)]) }
            expectEach(operating, of: "semtimedop", .systemVSemaphoreSet) { () throws(FacilityError) in
                _ = try set.tryOperate([.add(1, to: 0)])
            }
            let controlling: [Errno] = [.permissionDenied, .badAddress, .identifierRemoved, .invalidArgument]
            expectEach(controlling, of: "semctl(GETALL)", .systemVSemaphoreSet) { () throws(FacilityError) in _ = try set.values() }
            expectEach(controlling + [.outOfRange], of: "semctl(SETALL)", .systemVSemaphoreSet) { () throws(FacilityError) in
                try set.setValues([1, 1])
            }
            expectEach(controlling + [.outOfRange], of: "semctl(SETVAL)", .systemVSemaphoreSet) { () throws(FacilityError) in
                try set.setValue(1, of: 0)
            }
            for call in ["semctl(GETNCNT)", "semctl(GETZCNT)", "semctl(GETPID)"] as [SystemCallName] {
                expectEach(controlling, of: call, .systemVSemaphoreSet) { () throws(FacilityError) in _ = try set.waiting(for: 0) }
            }
            expectEach(controlling, of: "semctl(IPC_STAT)", .systemVSemaphoreSet) { () throws(FacilityError) in _ = try set.access() }
            expectEach(controlling + [.notPermitted], of: "semctl(IPC_RMID)", .systemVSemaphoreSet) { () throws(FacilityError) in
                try set.remove()
            }
        }
    }
}
