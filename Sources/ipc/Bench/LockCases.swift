import CBenchmarkPeers

/// The rivals of `ipc bench locks` that are written in C.
extension Contender {
    /// The ways to take and give back.
    struct LockKind: Sendable {
        let name: String
        let kind: bench_lock

        static let mutex = LockKind(name: "pthread-mutex", kind: BENCH_LOCK_MUTEX)
        static let robustMutex = LockKind(name: "pthread-mutex-robust", kind: BENCH_LOCK_ROBUST_MUTEX)
        static let posixSemaphore = LockKind(name: "posix-semaphore", kind: BENCH_LOCK_POSIX_SEMAPHORE)
        static let systemVSemaphore = LockKind(name: "sysv-semaphore", kind: BENCH_LOCK_SYSV_SEMAPHORE)
        static let eventfd = LockKind(name: "eventfd-semaphore", kind: BENCH_LOCK_EVENTFD)
        static let reading = LockKind(name: "pthread-rwlock", kind: BENCH_LOCK_READ)
        static let writing = LockKind(name: "pthread-rwlock", kind: BENCH_LOCK_WRITE)
        static let flock = LockKind(name: "flock", kind: BENCH_LOCK_FLOCK)
        static let record = LockKind(name: "fcntl-record", kind: BENCH_LOCK_RECORD)
        static let openFile = LockKind(name: "fcntl-ofd", kind: BENCH_LOCK_OPEN_FILE)
    }

    /// A process alone.
    static func lock(_ lock: LockKind) -> Contender {
        Contender(name: lock.name, near: { unsafe bench_lock_pair($0.pointer, lock.kind) })
    }

    /// Two processes that take, count and give back all the time.
    static func contended(_ lock: LockKind) -> Contender {
        let body: Body = { unsafe bench_lock_contend($0.pointer, lock.kind) }
        return Contender(name: lock.name, near: body, far: body)
    }
}

/// The loops of cases in Swift: the same as those of `benchmark_locks.h`.
extension BenchmarkSide {
    /// A process alone takes and gives back ``count`` times.
    @inline(__always)
    func measurePairs<E: Error>(take: () throws(E) -> Void, giveBack: () throws(E) -> Void) throws(E) {
        try take()
        try giveBack()
        start()
        var before = bench_ticks()
        var chunk = 0
        for _ in 0..<count {
            try take()
            try giveBack()
            chunk += 1
            if chunk == Int(BENCH_CHUNK) {
                let now = bench_ticks()
                record(now &- before)
                before = now
                chunk = 0
            }
        }
        stop()
    }

    /// Two processes take ``count`` turns altogether, whoever makes them, so that both want the lock to the end. Turns that both made at
    /// once are found missing.
    @inline(__always)
    func measureContention<E: Error>(take: () throws(E) -> Void, giveBack: () throws(E) -> Void) throws(E) {
        try measureContention { (turn) throws(E) in
            try take()
            turn()
            try giveBack()
        }
    }

    /// The same for a lock that is held for a closure.
    @inline(__always)
    func measureContention<E: Error>(holding: (_ turn: () -> Void) throws(E) -> Void) throws(E) {
        let guarded = unsafe (bench_map(pointer, 0, UInt64(BENCH_PAGE))! + Int(BENCH_GUARDED)).assumingMemoryBound(to: bench_guarded.self)
        let all = UInt64(count)
        var mine: UInt64 = 0
        var goesOn = true
        start()
        while goesOn {
            try holding {
                goesOn = unsafe guarded.pointee.count < all
                unsafe guarded.pointee.count += goesOn ? 1 : 0
                unsafe bench_use(guarded)
            }
            mine += goesOn ? 1 : 0
        }
        stop()
        unsafe bench_check_turns(pointer, guarded, mine)
    }
}
