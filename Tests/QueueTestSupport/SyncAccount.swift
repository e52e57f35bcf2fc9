public import Interprocess
import InterprocessSystem

/// What the workers of a storm write down outside of the objects, each in words of its own, so that it outlives them.
public struct SyncAccount: Sendable {
    public enum Word: Int, CaseIterable, Sendable {
        /// Of the semaphore's unit: see ``Unit``.
        case unit
        /// Jobs put in and taken out, and what it is about to make of each.
        case putIntent, put, takeIntent, taken
        /// Operations that came to their end.
        case steps
    }

    /// Where a worker is with a unit of the semaphore: killed while it takes or gives, it may have it or not.
    public enum Unit { public static let none: UInt32 = 0, taking: UInt32 = 1, has: UInt32 = 2, giving: UInt32 = 3 }

    public let segment: Segment
    public static let workers = 16

    public init(_ segment: Segment) { self.segment = segment }

    public static func create(in directory: ObjectDirectory) throws -> SyncAccount {
        SyncAccount(try Segment.create("account", size: 8192, in: directory))
    }

    public static func open(in directory: ObjectDirectory) throws -> SyncAccount { SyncAccount(try Segment.open("account", in: directory)) }

    package func word(_ worker: Int, _ word: Word) -> SharedUInt32 {
        unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress! + worker * 128 + word.rawValue * 4) }
    }

    /// Who has the permit's token, a PeerID; 0 nobody.
    package func token(_ index: Int) -> SharedUInt32 {
        unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress! + 4096 + index * 64) }
    }

    public func sum(_ word: Word) -> Int { (0..<Self.workers).reduce(0) { $0 + Int(self.word($1, word).loadAcquire()) } }
}
