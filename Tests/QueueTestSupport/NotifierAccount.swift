public import Interprocess
import InterprocessSystem

/// What those who notify write down outside of the notifier, so that it outlives them: how many notifications each was about to make of each id, and has made.
public struct NotifierAccount: Sendable {
    public static let ids = 130
    public static let workers = 8

    public let segment: Segment

    public init(in directory: ObjectDirectory) throws {
        segment = try Segment.openOrCreate("account", size: Self.workers * Self.ids * 16 + 64, in: directory)
    }

    public static func notifier(
        in directory: ObjectDirectory, ids: Int = Self.ids, strategy: WaitStrategy = .adaptive
    ) throws -> SharedNotifier {
        try SharedNotifier(named: "notifier", ids: ids, options: SynchronizationOptions(directory: directory), strategy: strategy)
    }

    private func word(_ worker: Int, _ id: Int, _ which: Int) -> SharedUInt64 {
        unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + 64 + (worker * Self.ids + id) * 16 + which * 8) }
    }

    /// 1: the workers are to stop.
    public var isOver: Bool {
        get { unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress!).loadAcquire() != 0 } }
        nonmutating set { unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress!).storeRelease(newValue ? 1 : 0) } }
    }

    public func notifying(_ worker: Int, _ id: Int, _ count: Int, _ body: () throws -> Void) rethrows {
        word(worker, id, 0).add(UInt64(count))
        try body()
        word(worker, id, 1).add(UInt64(count))
    }

    /// How often somebody was notified of `id`, at least and at most.
    public func count(_ id: Int) -> ClosedRange<Int> {
        let done = (0..<Self.workers).reduce(0) { $0 + Int(word($1, id, 1).loadAcquire()) }
        let intended = (0..<Self.workers).reduce(0) { $0 + Int(word($1, id, 0).loadAcquire()) }
        return done...max(done, intended)
    }
}
