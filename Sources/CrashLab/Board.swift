import CCrashLab
package import Interprocess

/// Memory of one worker that all its children share with it, and that outlives each of them.
///
///     0      reports of the stepped processes, 64 bytes each
///     4096   ledger
///     8192   actors, 2048 bytes each
@safe
struct Board: @unchecked Sendable {
    private static let size = 64 << 10
    private static let ledgerOffset = 4096
    private static let actorOffset = 8192
    private static let actorSize = 2048
    private static let reportSize = 64
    static let actors = 24

    private let base: UnsafeMutableRawPointer
    private let recorded: UnsafeMutablePointer<cl_record>

    init() {
        guard let memory = unsafe cl_shared_memory(Self.size), let recorded = unsafe cl_shared_memory(MemoryLayout<cl_record>.size) else {
            preconditionFailure("4 MiB of memory can be had")
        }
        unsafe base = memory
        unsafe self.recorded = recorded.assumingMemoryBound(to: cl_record.self)
        unsafe cl_record_into(self.recorded)
    }

    /// Of the stepped process that is the n-th actor.
    func report(_ index: Int) -> UnsafeMutablePointer<cl_report> {
        unsafe (base + index * Self.reportSize).assumingMemoryBound(to: cl_report.self)
    }

    /// The report's futex word.
    func reportState(_ index: Int) -> SharedUInt32 {
        unsafe SharedUInt32(at: base + index * Self.reportSize + MemoryLayout<cl_report>.offset(of: \.state)!)
    }

    /// What the child waits for that the stepped process has left behind.
    func releaseWord(_ index: Int) -> SharedUInt32 {
        unsafe SharedUInt32(at: base + index * Self.reportSize + MemoryLayout<cl_report>.offset(of: \.release)!)
    }

    func clearRecord() { unsafe recorded.pointee.count = 0 }

    /// What a stepped process has recorded.
    var record: Record {
        unsafe Record(Array(UnsafeBufferPointer(start: cl_moments(recorded), count: Int(recorded.pointee.count))))
    }

    var ledger: Ledger { unsafe Ledger(base: base + Self.ledgerOffset) }

    func clearReport(_ index: Int) { unsafe report(index).initialize(to: cl_report()) }

    func actor(_ index: Int) -> Actor {
        precondition(index < Self.actors)
        return unsafe Actor(base: base + Self.actorOffset + index * Self.actorSize, size: Self.actorSize)
    }
}

/// Words in which the processes of a scenario write down what they are about to do and have done, each in a cache line of its own.
@safe
public struct Ledger: @unchecked Sendable {
    public static let count = 60
    let base: UnsafeMutableRawPointer

    public subscript(index: Int) -> UInt64 {
        get { word(index).loadAcquire() }
        nonmutating set { word(index).storeRelease(newValue) }
    }

    package func word(_ index: Int) -> SharedUInt64 {
        precondition((0..<Self.count).contains(index), "the ledger has \(Self.count) words")
        return unsafe SharedUInt64(at: base + index * 64)
    }

    /// Set when a storm is over.
    var overWord: SharedUInt64 { unsafe SharedUInt64(at: base + Self.count * 64) }

    func clear() {
        overWord.storeRelease(0)
        for index in 0..<Self.count { self[index] = 0 }
    }
}
