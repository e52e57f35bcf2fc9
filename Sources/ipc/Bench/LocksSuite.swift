import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// What `ipc bench locks` measures: taking and giving back alone, two processes that want the same lock, and waiting for each other.
///
/// A case of the library's joins the list of its comparison; ``BenchmarkSide/measurePairs(take:giveBack:)`` and
/// ``BenchmarkSide/measureContention(take:giveBack:)`` are its loops. The library's own are in `InterprocessLockCases.swift`.
extension BenchmarkSuite {
    static let locks = BenchmarkSuite(name: "locks", comparisons: pairs + contention(.sameCore) + contention(.twoCores) + meetings)

    private static let pairs = [
        pair("mutex", baseline: "pthread-mutex", [InterprocessLockCases.mutex, .lock(.mutex), .lock(.robustMutex)] + boost("boost-mutex")),
        pair(
            "semaphore", baseline: "posix-semaphore",
            [
                InterprocessLockCases.semaphore, InterprocessLockCases.permits, .lock(.posixSemaphore), .lock(.systemVSemaphore),
                .lock(.eventfd),
            ]
                + boost("boost-semaphore")),
        pair(
            "reading", baseline: "pthread-rwlock",
            [InterprocessLockCases.reading, .lock(.reading)] + boost("boost-sharable-mutex", operation: "read")),
        pair(
            "writing", baseline: "pthread-rwlock",
            [InterprocessLockCases.writing, .lock(.writing)] + boost("boost-sharable-mutex", operation: "write")),
        pair(
            "variable", baseline: "pthread-variable",
            [
                InterprocessLockCases.variable, Contender(name: "pthread-variable", near: { unsafe bench_variable_pair($0.pointer) }),
            ]),
        pair("file lock", baseline: "flock", FileLockCases.all + [.lock(.flock), .lock(.record), .lock(.openFile)]),
    ]

    private static func contention(_ placement: Placement) -> [Comparison] {
        func comparison(_ subject: String, baseline: String, _ contenders: [Contender]) -> Comparison {
            Comparison(
                metric: .contended, subject: subject, size: 0, placement: placement, baseline: baseline, contenders: contenders)
        }
        return [
            comparison(
                "mutex", baseline: "pthread-mutex",
                [InterprocessLockCases.contendedMutex, .contended(.mutex), .contended(.robustMutex)]
                    + boost("boost-mutex", isContended: true)),
            comparison(
                "semaphore", baseline: "posix-semaphore",
                [InterprocessLockCases.contendedSemaphore, .contended(.posixSemaphore), .contended(.systemVSemaphore)]
                    + boost("boost-semaphore", isContended: true)),
            comparison(
                "writing", baseline: "pthread-rwlock",
                [InterprocessLockCases.contendedWriting, .contended(.writing)]
                    + boost("boost-sharable-mutex", operation: "write", isContended: true)),
            comparison(
                "file lock", baseline: "flock", FileLockCases.contended + [.contended(.flock), .contended(.record), .contended(.openFile)]),
        ]
    }

    private static let meetings = [Placement.sameCore, .twoCores].flatMap { placement in
        [
            Comparison(
                metric: .switch, subject: "condition variable", size: 0, placement: placement, baseline: "pthread-condition",
                contenders: [InterprocessLockCases.condition, .switch(.condition), .switch(.robustCondition)]),
            Comparison(
                metric: .switch, subject: "variable", size: 8, placement: placement, baseline: "pthread-variable",
                contenders: [
                    InterprocessLockCases.variableSwitch,
                    Contender(
                        name: "pthread-variable", near: { unsafe bench_variable_ping($0.pointer) },
                        far: { unsafe bench_variable_pong($0.pointer) }),
                ]),
            Comparison(
                metric: .meeting, subject: "barrier", size: 0, placement: placement, baseline: "pthread-barrier",
                contenders: [
                    InterprocessLockCases.barrier,
                    Contender(
                        name: "pthread-barrier", near: { unsafe bench_barrier_meet($0.pointer) },
                        far: { unsafe bench_barrier_meet($0.pointer) }),
                ]),
        ]
    }

    private static func pair(_ subject: String, baseline: String, _ contenders: [Contender]) -> Comparison {
        Comparison(metric: .pair, subject: subject, size: 0, placement: .oneProcess, baseline: baseline, contenders: contenders)
    }

    /// None where the program was not built.
    private static func boost(_ name: String, operation: String = "", isContended: Bool = false) -> [Contender] {
        guard PeerProgram.boostLocks.path != nil else { return [] }
        let what = "\(name)\(operation.isEmpty ? "" : "-\(operation)")-\(isContended ? "contended" : "pair")"
        return [Contender(name: name, program: .boostLocks, operation: what, sides: isContended ? 2 : 1)]
    }
}

/// The library's file locks, beside the bare calls: what the types cost.
private enum FileLockCases {
    static let all = kinds.map { kind, name in
        Contender(name: name) { side in
            let lock = try makeLock(side, kind)
            try side.measurePairs(take: { try lock.lock() }, giveBack: { try lock.unlock() })
        }
    }

    static let contended = kinds.map { kind, name in
        let body: Contender.Body = { side in
            let lock = try makeLock(side, kind)
            try side.measureContention(take: { try lock.lock() }, giveBack: { try lock.unlock() })
        }
        return Contender(name: name, near: body, far: body)
    }

    private static let kinds: [(FileLock.Kind, String)] = [
        (.wholeFile, "interprocess-whole-file"), (.record, "interprocess-record"), (.openFileDescription, "interprocess-ofd"),
    ]

    /// Of an opening of this process's own, which stays open until the process ends.
    private static func makeLock(_ side: BenchmarkSide, _ kind: FileLock.Kind) throws -> FileLock {
        let file = try FileDescriptor.open(FilePath("/proc/self/fd/\(BENCH_MEMORY)"), .readWrite, options: .closeOnExec)
        return switch kind {
        case .wholeFile: .wholeFile(file)
        case .record: .record(file, 0..<1)
        case .openFileDescription: .openFileDescription(file, 0..<1)
        }
    }
}
