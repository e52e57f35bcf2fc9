import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("S9 file locks: who is kept out, and how long")
struct FileLockKindsTests {
    private let file: FileLockFile

    init() throws { file = try FileLockFile() }

    @Test("S9 an exclusive lock keeps another process out, until it is given back", arguments: FileLock.Kind.all)
    func exclusion(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        #expect(try await peer.ask("try", kind, .exclusive) == "true")
        let own = try file.open()
        let lock = kind.lock(own)
        #expect(try !lock.tryLock(.exclusive))
        #expect(try !lock.tryLock(.shared))
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        #expect(try lock.tryLock(.exclusive))
        #expect(try await peer.ask("try", kind, .shared) == "false")
        try lock.unlock()
        try lock.unlock()
        #expect(try await peer.ask("try", kind, .shared) == "true")
    }

    @Test("S9 shared locks go together, and keep an exclusive one out", arguments: FileLock.Kind.all)
    func sharing(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        let lock = kind.lock(own)
        #expect(try await peer.ask("try", kind, .shared) == "true")
        #expect(try lock.tryLock(.shared))
        #expect(try await peer.ask("try", kind, .exclusive) == "false")
        // A whole-file lock is lost by the try: taken again, it is shared as before.
        #expect(try await peer.ask("try", kind, .shared) == "true")
        try lock.unlock()
        #expect(try await peer.ask("try", kind, .exclusive) == "true")
    }

    @Test("S9 two processes that count under the lock count every time", arguments: FileLock.Kind.all)
    func counting(_ kind: FileLock.Kind) async throws {
        let peers = [try await file.peer(), try await file.peer()]
        for peer in peers { try peer.order("count", kind, .exclusive, 0..<8, 20_000) }
        for peer in peers { try await peer.expect("done") }
        let own = try file.open()
        var number: UInt64 = 0
        _ = try unsafe withUnsafeMutableBytes(of: &number) { try unsafe own.descriptor.read(fromAbsoluteOffset: 0, into: $0) }
        #expect(number == 40_000)
    }

    @Test("S9 bytes that overlap exclude, bytes beside them do not", arguments: FileLock.Kind.ofBytes)
    func ranges(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        #expect(try await peer.ask("try", kind, .exclusive, 10..<20) == "true")
        let own = try file.open()
        for free in [0..<10, 20..<30, 20..<Int64.max] as [Range<Int64>] { #expect(try kind.lock(own, free).tryLock(), "\(free)") }
        for held in [0..<11, 19..<20, 10..<11, 12..<Int64.max, 0..<Int64.max] as [Range<Int64>] {
            #expect(try !kind.lock(own, held).tryLock(), "\(held)")
        }
        // What is given back in the middle leaves two locks.
        #expect(try await peer.ask("unlock", kind, .exclusive, 13..<15) == "unlocked")
        #expect(try kind.lock(own, 13..<15).tryLock())
        #expect(try !kind.lock(own, 12..<13).tryLock())
        #expect(try !kind.lock(own, 15..<16).tryLock())
    }

    @Test("S9 ranges are spelled as everywhere")
    func spelling() throws {
        let own = try file.open()
        #expect(FileLock.record(own.descriptor).bytes == 0..<Int64.max)
        #expect(FileLock.record(own.descriptor, 3...).bytes == 3..<Int64.max)
        #expect(FileLock.openFileDescription(own.descriptor, 3...5).bytes == 3..<6)
        #expect(FileLock.openFileDescription(own.descriptor, ..<5).bytes == 0..<5)
        #expect(FileLock.wholeFile(own.descriptor).bytes == 0..<Int64.max)
    }

    @Test("S9 both kinds of locks of bytes exclude each other; whole-file locks neither")
    func kinds() async throws {
        let peer = try await file.peer()
        let own = try file.open()
        for (theirs, mine) in [(FileLock.Kind.record, FileLock.Kind.openFileDescription), (.openFileDescription, .record)] {
            #expect(try await peer.ask("try", theirs) == "true")
            #expect(try !mine.lock(own).tryLock())
            #expect(try FileLock.wholeFile(own.descriptor).tryLock())
            #expect(try await peer.ask("unlock", theirs) == "unlocked")
            try FileLock.wholeFile(own.descriptor).unlock()
        }
    }

    @Test("S9 two openings of one process exclude each other, but by record locks", arguments: FileLock.Kind.all)
    func openings(_ kind: FileLock.Kind) throws {
        let first = try file.open(), second = try file.open()
        #expect(try kind.lock(first).tryLock())
        #expect(try kind.lock(second).tryLock() == (kind == .record))
    }

    @Test("S9 a killed process's lock goes to who waits for it", arguments: FileLock.Kind.all)
    func killed(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        #expect(try await peer.ask("try", kind) == "true")
        let own = try file.open()
        let lock = kind.lock(own)
        let attempt = try Attempt { () throws(FileLockError) in try lock.lock(.exclusive) }
        try await file.untilWaiting(1)
        #expect(!attempt.isOver)
        peer.kill()
        try await attempt.value()
        #expect(try await peer.ending() == .signalled(Signal.kill))
        let other = try await file.peer()
        #expect(try await other.ask("try", kind) == "false")
    }

    @Test("S9 a lock of bytes changes its mode in one step", arguments: FileLock.Kind.ofBytes)
    func conversion(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        let lock = kind.lock(own)
        #expect(try lock.tryLock(.shared))
        #expect(try await peer.ask("try", kind, .shared) == "true")
        #expect(try !lock.tryLock(.exclusive))
        #expect(try await peer.ask("try", kind, .exclusive) == "false", "the shared lock is still there")
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        #expect(try lock.tryLock(.exclusive))
        #expect(try await peer.ask("try", kind, .shared) == "false")
        #expect(try lock.tryLock(.shared))
        #expect(try await peer.ask("try", kind, .shared) == "true")
    }

    @Test("S9 a whole-file lock that cannot be changed is lost, as is said")
    func conversionOfWholeFiles() async throws {
        let peer = try await file.peer()
        let own = try file.open()
        let lock = FileLock.wholeFile(own.descriptor)
        #expect(try lock.tryLock(.shared))
        #expect(try await peer.ask("try", .wholeFile, .shared) == "true")
        #expect(try !lock.tryLock(.exclusive))
        #expect(try await peer.ask("try", .wholeFile, .exclusive) == "true", "nobody else has it any more")
    }

    @Test("S9 the one in the way is named, as far as the kernel does")
    func blockers() async throws {
        let peer = try await file.peer()
        let own = try file.open(.readOnly)
        #expect(try FileLock.record(own.descriptor).blocker() == nil)
        #expect(try await peer.ask("try", .record, .exclusive, 10..<20) == "true")
        for kind in FileLock.Kind.ofBytes {
            #expect(
                try kind.lock(own, 15..<16).blocker(of: .shared)
                    == FileLock.Blocker(owner: .process(peer.pid), mode: .exclusive, bytes: 10..<20))
            #expect(try kind.lock(own, 20..<30).blocker() == nil)
        }
        #expect(try await peer.ask("try", .openFileDescription, .shared, 30..<Int64.max) == "true")
        for kind in FileLock.Kind.ofBytes {
            #expect(try kind.lock(own, 35..<36).blocker(of: .shared) == nil)
            let blocker = try kind.lock(own, 35..<36).blocker(of: .exclusive)
            #expect(blocker == FileLock.Blocker(owner: .openFileDescription, mode: .shared, bytes: 30..<Int64.max))
            #expect(blocker?.description == "an open file description has bytes 30..., shared")
        }
        #expect(throws: FileLockError.noBlockerOfWholeFiles) { _ = try FileLock.wholeFile(own.descriptor).blocker() }
        #expect(try await peer.ask("blocker", .record, .exclusive, 10..<20) == "none", "its own lock is not in its way")
    }

    @Test("S9 a mistake gets a sentence that says what to do", arguments: FileLock.Kind.ofBytes)
    func mistakes(_ kind: FileLock.Kind) throws {
        let reading = try file.open(.readOnly), writing = try file.open(.writeOnly)
        #expect(throws: FileLockError.wrongOpenMode(.exclusive)) { _ = try kind.lock(reading).tryLock(.exclusive) }
        #expect(throws: FileLockError.wrongOpenMode(.shared)) { _ = try kind.lock(writing).tryLock(.shared) }
        #expect(throws: FileLockError.wrongOpenMode(.shared)) { try kind.lock(writing).lock(.shared, until: after(milliseconds: 10)) }
        #expect(try kind.lock(reading).tryLock(.shared))
        let call: SystemCallName = kind == .record ? "fcntl(F_SETLK)" : "fcntl(F_OFD_SETLK)"
        for (error, expected) in [
            (Errno.noLocks, FileLockError.outOfLocks), (.deadlock, .deadlock), (.invalidArgument, .unsupported),
            (.ioError, .system(.ioError)),
        ] {
            #expect(throws: expected) {
                try SystemCallFaults.withFault(call, error) { () throws(FileLockError) in try kind.lock(reading).lock(.shared) }
            }
        }
    }

    @Test("S9 a descriptor that is not open is said to be that", arguments: FileLock.Kind.all)
    func closed(_ kind: FileLock.Kind) throws {
        // The number of no file that this process could open.
        let nothing = FileDescriptor(rawValue: Int32.max)
        let lock: FileLock = kind == .wholeFile ? .wholeFile(nothing) : kind == .record ? .record(nothing) : .openFileDescription(nothing)
        #expect(throws: FileLockError.notOpen) { try lock.lock(.exclusive) }
        #expect(throws: FileLockError.notOpen) { _ = try lock.tryLock(.exclusive) }
        #expect(throws: FileLockError.notOpen) { try lock.unlock() }
    }

    @Test("S9 a held lock ends with its value; so does one of withLock, also when its body throws", arguments: FileLock.Kind.all)
    func values(_ kind: FileLock.Kind) async throws {
        struct Failure: Error {}
        let peer = try await file.peer()
        let own = try file.open()
        let lock = kind.lock(own)
        func isFree() async throws -> Bool {
            guard try await peer.ask("try", kind) == "true" else { return false }
            return try await peer.ask("unlock", kind) == "unlocked"
        }
        do {
            var held = try holdBlocking(lock, .shared)
            #expect(try await !isFree())
            #expect(held.mode == .shared)
            #expect(try held.tryConvert(to: .exclusive) && held.mode == .exclusive)
            #expect(try await !isFree())
        }
        #expect(try await isFree())
        try holdBlocking(lock, .exclusive).unlock()
        #expect(try await isFree())
        try holdBlocking(lock, .exclusive).leaveLocked()
        #expect(try await !isFree())
        try lock.unlock()
        let result = try await lock.withLock(.exclusive) { () async throws -> Int in
            #expect(try await !isFree())
            return 7
        }
        #expect(result == 7)
        #expect(try await isFree())
        await #expect(throws: Failure.self) { try await lock.withLock { () async throws in throw Failure() } }
        #expect(try await isFree())
        #expect(throws: Failure.self) { try lock.withLockIfAvailable { throw Failure() } }
        #expect(try await peer.ask("try", kind) == "true")
        #expect(try lock.tryHold() == nil)
        #expect(try lock.withLockIfAvailable { 1 } == nil)
    }

    @Test("S9 a task that waits for a lock suspends, and can be cancelled, also if its body does not suspend", arguments: FileLock.Kind.all)
    func bodies(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        #expect(try await peer.ask("try", kind) == "true")
        let own = try file.open()
        let lock = kind.lock(own)
        let task = Task { try await lock.withLock { 5 } }
        task.cancel()
        await #expect(throws: FileLockError.cancelled) { try await task.value }
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        #expect(try await lock.withLock { 5 } == 5)
    }
}

private func holdBlocking(_ lock: FileLock, _ mode: FileLock.Mode) throws(FileLockError) -> HeldFileLock { try lock.hold(mode) }
