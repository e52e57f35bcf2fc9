import CInterprocess
import InterprocessSystem

/// What one peer of a topic of one publisher holds: loans or samples.
///
/// A hold is a word of the peer's record that names the chunk: set by one store, given back by one. In this process a state stands beside each, so that whoever gives one back, on whatever thread, touches nothing of the topic
/// any more after its last store, and needs no reference to it: a reference is counted only when the peer closes while something is held.
///
/// **States** of a hold, in this process: 0 free, 1 held, 2 being given back, 3 the same by one who has seen that the peer closes.
/// **Memory order** `SYNC topic.held`: a lossless subscriber stores the hold before its cursor; any other has a full fence between the hold and its second look at the log. Who publishes looks at the holds after a full fence behind
/// the replacement of the entry. `SYNC holds.closing`: 2 is stored before the look at `closing`, with a compiler fence between; who closes stores `closing`, runs a barrier, then looks at the states.
/// **Death** of the peer: its words are emptied by who repairs.
/// **Source** hazard pointers (Michael, 2004), named by the peer's record; here with a fence only where the cursor does not protect.
@safe
struct PeerHolds: @unchecked Sendable {
    private let record: TopicPeer
    /// In this process: `closing`, how many holds are out since, the owner, how many words were ever used; then the states.
    private let block: UnsafeMutableRawPointer
    /// Loans or samples; one hold more is for what is looked at.
    let count: Int

    init(_ record: TopicPeer, count: Int) {
        (self.record, self.count) = (record, count)
        let size = HoldPlace.statesOffset + (count + 1) * 4
        unsafe block = .allocate(byteCount: size, alignment: 64)
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        unsafe block.storeBytes(of: record.held(0).rawAddress, toByteOffset: HoldPlace.wordsOffset, as: UnsafeMutableRawPointer.self)
        if !Barrier.isRegistered { unsafe HoldPlace.closing(of: block).storeRelaxed(HoldPlace.fencing) }
    }

    /// When nothing is held.
    func deallocate() { unsafe block.deallocate() }

    private var reach: SharedUInt32 { unsafe SharedUInt32(at: block + 16) }
    private func state(_ index: Int) -> SharedUInt32 { unsafe SharedUInt32(at: block + HoldPlace.statesOffset + index &* 4) }

    /// Whether the hold of this index is given back, so far as this process knows.
    @inline(__always) func isFree(_ index: Int) -> Bool { state(index).loadAcquire() == 0 }

    func isSame(_ place: HoldPlace) -> Bool { unsafe place.block == block }

    /// Holds a chunk. Nil: there are as many holds as may be. O(holds), O(1) if they are given back in time.
    @inline(__always)
    func begin(_ chunk: Int) -> HoldPlace? {
        for index in 0..<count where isFree(index) { return begin(chunk, at: index) }
        return nil
    }

    /// Holds the chunk that is looked at.
    @inline(__always)
    func look(_ chunk: Int) -> HoldPlace { begin(chunk, at: count) }
    func endLook() { unsafe HoldPlace(block: block, index: count).end() }

    @inline(__always)
    private func begin(_ chunk: Int, at index: Int) -> HoldPlace {
        state(index).storeRelaxed(1)
        if reach.loadRelaxed() <= UInt32(index) {
            reach.storeRelaxed(UInt32(index + 1))
            record.reach.storeRelease(UInt32(index + 1))
        }
        record.held(index).storeRelease(UInt32(truncatingIfNeeded: chunk &+ 1))
        return unsafe HoldPlace(block: block, index: index)
    }

    /// The peer closes; `owner`, which keeps the memory mapped, stays until nothing is held any more. O(holds).
    func close(keeping owner: AnyObject) {
        if (0...count).allSatisfy(isFree) { return }
        HoldPlace.ending.withLock { _ in
            unsafe HoldPlace.closing(of: block).setBits(HoldPlace.closed)
            if !Barrier.beforeLookingAgain() { sleepThread(for: .milliseconds(1)) }
            // SYNC holds.closing: who begins to give back after this sees that the peer closes.
            var held: UInt32 = 0
            for index in 0...count {
                // Somebody is within a few instructions of the end.
                while state(index).loadAcquire() == 2 { Processor.yield() }
                if !isFree(index) { held += 1 }
            }
            guard held > 0 else { return }
            unsafe HoldPlace.remaining(of: block).storeRelaxed(held)
            unsafe HoldPlace.owner(of: block).pointee = Unmanaged.passRetained(owner)
        }
    }
}

/// One hold, until it is given back.
@frozen @safe @usableFromInline
struct HoldPlace: @unchecked Sendable {
    /// See ``PeerHolds``.
    @usableFromInline let block: UnsafeMutableRawPointer
    @usableFromInline let index: Int

    @inline(__always)
    init(block: UnsafeMutableRawPointer, index: Int) {
        unsafe self.block = unsafe block
        self.index = index
    }

    @inlinable @inline(__always) var word: SharedUInt32 {
        unsafe SharedUInt32(at: block.load(fromByteOffset: Self.wordsOffset, as: UnsafeMutableRawPointer.self) + index &* 4)
    }
    @inlinable @inline(__always) var state: SharedUInt32 { unsafe SharedUInt32(at: block + Self.statesOffset + index &* 4) }

    @inlinable static var wordsOffset: Int { 24 }
    @inlinable static var statesOffset: Int { 64 }
    static let closed: UInt32 = 1
    /// This process takes no part in barriers: who gives back fences.
    static let fencing: UInt32 = 2
    /// Of all topics: taken only by who gives back when its peer has closed, and by who closes with something held.
    static let ending = Lock(())

    @inlinable @inline(__always)
    static func closing(of block: UnsafeMutableRawPointer) -> SharedUInt32 { unsafe SharedUInt32(at: block) }
    static func remaining(of block: UnsafeMutableRawPointer) -> SharedUInt32 { unsafe SharedUInt32(at: block + 4) }
    static func owner(of block: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Unmanaged<AnyObject>?> {
        unsafe (block + 8).assumingMemoryBound(to: Unmanaged<AnyObject>?.self)
    }

    /// Gives the hold back: nothing is touched after the last store.
    @inlinable @inline(__always)
    func end() {
        word.storeRelease(0)
        state.storeRelaxed(2)
        ipc_compiler_fence()
        if unsafe Self.closing(of: block).loadRelaxed() != 0 { return endSlowly() }
        state.storeRelease(0)
    }

    @usableFromInline
    func endSlowly() {
        fullFence()
        guard unsafe Self.closing(of: block).loadSequential() & Self.closed != 0 else { return state.storeRelease(0) }
        state.storeRelease(3)
        let owner: Unmanaged<AnyObject>? = unsafe Self.ending.withLock { _ in
            let left = unsafe Self.remaining(of: block).loadRelaxed() &- 1
            unsafe Self.remaining(of: block).storeRelaxed(left)
            let owner = unsafe left == 0 ? Self.owner(of: block).pointee : nil
            state.storeRelease(0)
            return unsafe owner
        }
        // Not under the lock: what ends with the owner may take long.
        unsafe owner?.release()
    }
}
