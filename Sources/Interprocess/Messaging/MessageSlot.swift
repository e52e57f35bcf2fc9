import CInterprocess
import InterprocessSystem

/// The state of a slot of a shared queue: one word, changed as a whole.
///
/// **States**
///
/// | bits | meaning |
/// |---|---|
/// | 0–31 | PeerID of who has it; 0: nobody |
/// | 32–35 | 1 free, 2 filling, 3 taken, 4 returned, 5 dead letter; 0 is impossible: a forked child's zeroes |
/// | 36–43 | how often its message was delivered, 255 for more; while it is filled 1 if another message was dropped for it |
/// | 44–63 | generation: how often the slot was filled, modulo 2^20 |
@frozen @usableFromInline
struct SlotState: Equatable, Sendable {
    @usableFromInline let word: UInt64

    enum Kind: UInt64 { case free = 1, filling = 2, taken = 3, returned = 4, deadLetter = 5 }

    @inlinable @inline(__always) init(word: UInt64) { self.word = word }

    @inline(__always)
    private init(_ kind: Kind, peer: UInt32, deliveries: Int, generation: UInt32) {
        word =
            UInt64(peer) | kind.rawValue << 32 | UInt64(min(deliveries, 255)) << 36
            | UInt64(generation & Self.generationMask) << 44
    }

    private static let generationMask: UInt32 = (1 << 20) - 1

    /// Of a slot that was never filled.
    static let unused = SlotState(.free, peer: 0, deliveries: 0, generation: 0)

    var kind: Kind? { Kind(rawValue: word >> 32 & 15) }
    var peerBits: UInt32 { UInt32(truncatingIfNeeded: word) }
    var deliveries: Int { Int(word >> 36 & 255) }
    var generation: UInt32 { UInt32(word >> 44) }
    @inline(__always) var isFree: Bool { word >> 32 & 15 == Kind.free.rawValue }
    @inline(__always) var isFilling: Bool { word >> 32 & 15 == Kind.filling.rawValue }

    /// - Parameter dropping: the slot is not free: its message is dropped.
    @inline(__always)
    func filling(by peer: PeerID, dropping: Bool = false) -> SlotState {
        SlotState(.filling, peer: peer.rawValue, deliveries: dropping ? 1 : 0, generation: generation &+ 1)
    }
    /// Whether the slot came to who fills it by dropping the message that it had.
    var isDropping: Bool { isFilling && deliveries == 1 }
    @inline(__always)
    func taken(by peer: PeerID) -> SlotState {
        SlotState(.taken, peer: peer.rawValue, deliveries: isFilling ? 1 : deliveries + 1, generation: generation)
    }
    @inline(__always)
    func freed() -> SlotState { SlotState(.free, peer: 0, deliveries: 0, generation: generation) }

    /// What becomes of a message that comes back from its receiver.
    func givenBack(limit: Int) -> SlotState {
        // The count goes no further than 255: two deliveries with the same word could not be told apart.
        let isLast = deliveries >= (limit > 0 ? limit : 255)
        return SlotState(isLast ? .deadLetter : .returned, peer: 0, deliveries: deliveries, generation: generation)
    }
}

/// The slots of a shared queue: where messages stand, whoever has them.
///
/// **Layout** "message slot", and a bit for each slot.
/// **Memory order** `SYNC slot.state`: each change is a compare-exchange, release by who had the slot ⇄ acquire by who gets it.
/// **Trust** indices are compared with ``count``; states and lengths are checked where they are used.
@safe
struct MessageSlots: @unchecked Sendable {
    let count: Int
    private let base: UnsafeMutableRawPointer
    private let hints: FreeHints

    init(at base: UnsafeMutableRawPointer, hints: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base
        unsafe self.hints = FreeHints(at: hints, count: count)
        self.count = count
    }

    @inline(__always)
    private func slot(_ index: Int) -> UnsafeMutableRawPointer {
        precondition(index >= 0 && index < count)
        return unsafe base + index &* MemoryLayout<ipc_message_slot>.stride
    }

    // The places of `ipc_message_slot`.
    @inline(__always) func state(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: slot(index)) }
    @inline(__always) func length(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: slot(index) + Int(IPC_SLOT_LENGTH)) }
    @inline(__always) func ticket(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: slot(index) + Int(IPC_SLOT_TICKET)) }
    @inline(__always) func takenTime(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: slot(index) + Int(IPC_SLOT_TAKEN)) }
    @inline(__always) func reservedBytes(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: slot(index) + Int(IPC_SLOT_RESERVED)) }
    @inline(__always) func priority(_ index: Int) -> SharedUInt32 { unsafe SharedUInt32(at: slot(index) + Int(IPC_SLOT_PRIORITY)) }

    @inline(__always) func current(_ index: Int) -> SlotState { SlotState(word: state(index).loadAcquire()) }

    /// Whether the message that an entry names waits there.
    @inline(__always)
    func isWaiting(_ entry: RingEntry) -> Bool {
        guard entry.slot < count else { return false }
        let state = current(entry.slot)
        return state.isFilling && state.generation & 0xffff == entry.generation
    }

    @inline(__always)
    func change(_ index: Int, _ from: SlotState, _ to: SlotState) -> Bool { state(index).compareExchange(from.word, to.word) }

    /// O(count).
    func contains(where isWanted: (SlotState) -> Bool) -> Bool {
        (0..<count).contains { isWanted(SlotState(word: state($0).loadSequential())) }
    }

    // MARK: Which are free

    /// Before anybody else can see them.
    func initialize() {
        for index in 0..<count { state(index).storeRelaxed(SlotState.unused.word) }
        hints.setAll()
    }

    /// Claims a slot to be filled, `preferred` if that is free. Nil: none is. O(1), near the end O(count / 32).
    @inline(__always)
    func claim(_ preferred: Int, by peer: PeerID) -> (index: Int, state: SlotState)? {
        let seen = current(preferred)
        if seen.isFree {
            let mine = seen.filling(by: peer)
            if change(preferred, seen, mine) { return (preferred, mine) }
        }
        return search(from: preferred, by: peer)
    }

    private func search(from start: Int, by peer: PeerID) -> (index: Int, state: SlotState)? {
        hints.search(from: start) { index in
            while true {
                let seen = SlotState(word: state(index).loadSequential())
                guard seen.isFree else { return .taken }
                let mine = seen.filling(by: peer)
                if change(index, seen, mine) { return .claimed((index, mine)) }
            }
        }
    }

    /// Gives a slot up that is in the state `mine`. False if it is not any more.
    @inline(__always)
    func free(_ index: Int, _ mine: SlotState) -> Bool {
        guard change(index, mine, mine.freed()) else { return false }
        hints.set(index)
        return true
    }

    /// Sets all bits, after a death.
    func remakeHints() { hints.setAll() }
}
