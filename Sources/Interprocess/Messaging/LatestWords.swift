import CInterprocess
import InterprocessSystem
import Synchronization

/// The shared words of a latest value, and the steps of its protocol that touch no other.
///
/// **Layout** "latest value", then four times "version of a latest value" with the value itself, each at a multiple of 64. Version number n stands in the one at n mod 4.
///
/// **States**
///
/// | word | bits | meaning | who changes it |
/// |---|---|---|---|
/// | `current` | 0 marked | somebody sleeps, or is about to | who goes to sleep; cleared by who stores |
/// | | 1 open | always set; zero in a forked child, which is thereby found out | maker |
/// | | 2–31 | the number of the newest version, modulo 2^30 | the writer |
/// | `stamp` of a version | 0 | it is being written, or was when its writer died | the writer |
/// | | 1–63 | its number | the writer |
///
/// **Memory order**
/// - `SYNC latest.current`: the writer's exchange of `current`, after the whole version ⇄ the readers' acquire.
/// - `SYNC latest.stamp`: a version is stamped as being written before its first byte changes, with a release fence between; a reader has an acquire fence between
///   its copy and its second look at the stamp. So a reader that has copied one byte of a later value sees a stamp that is not the one that it saw before. Storing
///   the stamp is a release besides: who finds a later version in the place of the one that it looked for, finds `current` to have gone on.
///
/// **Source** a sequence lock (as in the Linux kernel's `seqlock_t`; H. Boehm, "Can seqlocks get along with programming language memory models?", 2012) over several
/// versions, of which the newest is never the one that is written: so a reader is not in the writer's way, nor a dead writer in the readers'. The bytes that are
/// copied while they are overwritten are thrown away unlooked-at. Model: Models/latest.pml.
@safe @usableFromInline
struct LatestWords: @unchecked Sendable {
    @usableFromInline let versions: UnsafeMutableRawPointer
    @usableFromInline let current: SharedUInt32
    /// Bytes from one version to the next.
    @usableFromInline let stride: Int
    /// Bytes from the beginning of a version to its value.
    @usableFromInline let valueOffset: Int

    @usableFromInline static var count: UInt64 { UInt64(IPC_LATEST_VERSIONS) }
    static let headSize = MemoryLayout<ipc_latest>.size

    init<Value>(at base: UnsafeMutableRawPointer, _ type: Value.Type) {
        current = unsafe SharedUInt32(at: base)
        unsafe versions = base + Self.headSize
        stride = Self.stride(type)
        valueOffset = Self.valueOffset(type)
    }

    static func valueOffset<Value>(_ type: Value.Type) -> Int {
        max(MemoryLayout<ipc_latest_version>.size, MemoryLayout<Value>.alignment)
    }

    static func stride<Value>(_ type: Value.Type) -> Int {
        stride(size: MemoryLayout<Value>.stride, alignment: MemoryLayout<Value>.alignment).bytes
    }

    /// Of a value of so many bytes; with `isTooLarge`, there can be none.
    static func stride(size: Int, alignment: Int) -> (bytes: Int, isTooLarge: Bool) {
        let head = max(MemoryLayout<ipc_latest_version>.size, alignment)
        let (sum, overflow) = size.addingReportingOverflow(head + SynchronizationWords.alignment - 1)
        return (sum / SynchronizationWords.alignment * SynchronizationWords.alignment, overflow || size < 0)
    }

    /// Bytes of all words and versions.
    static func size<Value>(_ type: Value.Type) -> Int { headSize + Int(count) * stride(type) }

    /// Writes version 0. Before anybody else can see it.
    func initialize<Value: BitwiseCopyable>(_ initial: Value) {
        for number in 0..<Self.count { stamp(number).storeRelaxed(0) }
        unsafe value(0).storeBytes(of: initial, as: Value.self)
        current.storeRelaxed(Self.word(0))
    }

    // MARK: Versions

    /// What `current` is, not marked, when version `number` is the newest.
    @inlinable @inline(__always)
    static func word(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: number) << 2 | ClaimWord.open }

    /// The number, modulo 2^30, that `current` says.
    @inlinable @inline(__always)
    static func number(_ word: UInt32) -> UInt64 { UInt64(word >> 2) }

    @inlinable @inline(__always)
    func stamp(_ number: UInt64) -> SharedUInt64 { unsafe SharedUInt64(at: versions + Int(number % Self.count) * stride) }

    @inlinable @inline(__always)
    func value(_ number: UInt64) -> UnsafeMutableRawPointer { unsafe versions + Int(number % Self.count) * stride + valueOffset }

    /// Whether `stamp` is that of a whole version, of the one that `word` calls the newest.
    @inlinable @inline(__always)
    static func isWhole(_ stamp: UInt64, newestIn word: UInt32) -> Bool {
        stamp & 1 == 0 && (stamp >> 1) & (1 << 30 - 1) == number(word) && word & ClaimWord.open != 0
    }

    /// The reader's second look, after it has copied what `word` called the newest version.
    @inlinable @inline(__always)
    func isWhole(_ word: UInt32, stampedAsBefore before: UInt64) -> Bool {
        // SYNC latest.stamp
        atomicMemoryFence(ordering: .acquiring)
        return stamp(Self.number(word)).loadAcquire() == before && Self.isWhole(before, newestIn: word)
    }

    // MARK: The writer's half; it holds the object's word

    /// Copies of so many bytes and more may be made by stores that pass others, which only a full fence keeps in their place (`memcpy` of glibc, from 16 KiB on).
    @usableFromInline static var largeSize: Int { 4096 }

    /// Stamps the version that comes next as being written. Returns its number; nil if what stands there is impossible.
    @inlinable @inline(__always)
    func begin() -> UInt64? {
        let word = current.loadRelaxed()
        let stamp = stamp(Self.number(word)).loadRelaxed()
        guard Self.isWhole(stamp, newestIn: word) else { return nil }
        let next = (stamp >> 1) &+ 1
        // SYNC latest.stamp
        self.stamp(next).storeRelease(next &<< 1 | 1)
        if stride < Self.largeSize { atomicMemoryFence(ordering: .releasing) } else { fullFence() }
        return next
    }

    /// Makes version `next`, which is written and comes after the newest, the newest. Returns what `current` was. The mark stays until those who sleep are woken.
    @inlinable @inline(__always)
    func publish(_ next: UInt64) -> UInt32 {
        stamp(next).storeRelease(next &<< 1)
        // SYNC latest.current
        return current.add(Self.word(1) &- Self.word(0))
    }
}
