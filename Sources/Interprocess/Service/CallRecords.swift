import CInterprocess
import InterprocessSystem

/// The records of a service's calls.
///
/// **Layout** "call", and a bit for each.
/// **Memory order** `SYNC call.state`: each change is a compare-exchange, release by who had the record ⇄ acquire by who gets it.
/// **Trust** indices are compared with ``count``; states and lengths are checked where they are used.
@safe
struct CallRecords: @unchecked Sendable {
    let count: Int
    private let base: UnsafeMutableRawPointer
    private let hints: FreeHints

    init(at base: UnsafeMutableRawPointer, hints: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base
        self.count = count
        self.hints = unsafe FreeHints(at: hints, count: count)
    }

    /// Bytes of a failure's text.
    static let mostText = Int(IPC_FAILURE_TEXT)

    /// Where a record stands.
    @inline(__always)
    func place(_ index: Int) -> UnsafeMutableRawPointer {
        precondition(index >= 0 && index < count)
        return unsafe base + index &* MemoryLayout<ipc_call>.stride
    }

    // The places of `ipc_call`.
    @inline(__always) func state(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: place(index)) }
    @inline(__always) func requestLength(_ index: Int) -> SharedUInt64 {
        unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_REQUEST_LENGTH))
    }
    @inline(__always) func client(_ index: Int) -> SharedUInt32 { unsafe SharedUInt32(at: place(index) + Int(IPC_CALL_CLIENT)) }
    @inline(__always) func answer(_ index: Int) -> WakeWord { WakeWord(word: unsafe SharedUInt32(at: place(index) + Int(IPC_CALL_ANSWER))) }
    @inline(__always) func deadline(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_DEADLINE_NS)) }
    @inline(__always) func request(_ index: Int) -> UnsafeMutableRawPointer { unsafe place(index) + Int(IPC_CALL_REQUEST) }
    @inline(__always) func replyLength(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_REPLY_LENGTH)) }
    @inline(__always) func attention(_ index: Int) -> WakeWord {
        WakeWord(word: unsafe SharedUInt32(at: place(index) + Int(IPC_CALL_ATTENTION)))
    }
    @inline(__always) func code(_ index: Int) -> SharedUInt32 { unsafe SharedUInt32(at: place(index) + Int(IPC_CALL_CODE)) }
    @inline(__always) func reply(_ index: Int) -> UnsafeMutableRawPointer { unsafe place(index) + Int(IPC_CALL_REPLY) }
    @inline(__always) func written(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_WRITTEN)) }
    @inline(__always) func requestReserved(_ index: Int) -> SharedUInt64 {
        unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_REQUEST_RESERVED))
    }
    @inline(__always) func replyReserved(_ index: Int) -> SharedUInt64 {
        unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_REPLY_RESERVED))
    }
    @inline(__always) func read(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: place(index) + Int(IPC_CALL_READ)) }
    @inline(__always) func textLength(_ index: Int) -> SharedUInt32 { unsafe SharedUInt32(at: place(index) + Int(IPC_CALL_TEXT_LENGTH)) }
    @inline(__always) func text(_ index: Int) -> UnsafeMutableRawPointer { unsafe place(index) + Int(IPC_CALL_TEXT) }

    @inline(__always) func current(_ index: Int) -> CallState { CallState(word: state(index).loadAcquire()) }

    @inline(__always)
    func change(_ index: Int, _ from: CallState, _ to: CallState) -> Bool { state(index).compareExchange(from.word, to.word) }

    /// Whether an entry stands for a call that no server has taken: it waits, or was withdrawn.
    @inline(__always)
    func stands(_ entry: RingEntry) -> Bool {
        guard entry.slot < count else { return false }
        let state = current(entry.slot)
        guard state.generation & 0xffff == entry.generation else { return false }
        return state.isSending || state.kind == .withdrawn
    }

    // MARK: Which are free

    /// Before anybody else can see them.
    func initialize() {
        for index in 0..<count { state(index).storeRelaxed(CallState.unused.word) }
        hints.setAll()
    }

    /// Claims a record for a call, `preferred` if that is free. Nil: none is. O(1), near the end O(count / 32).
    @inline(__always)
    func claim(_ preferred: Int, by peer: PeerID, isStreamed: Bool) -> (index: Int, state: CallState)? {
        claimNow(preferred, by: peer, isStreamed: isStreamed)
            ?? hints.search(from: preferred) { index in
                while true {
                    let seen = CallState(word: state(index).loadSequential())
                    guard seen.isFree else { return .taken }
                    let mine = seen.sending(by: peer, isStreamed: isStreamed)
                    if change(index, seen, mine) { return .claimed((index, mine)) }
                }
            }
    }

    @inline(__always)
    private func claimNow(_ index: Int, by peer: PeerID, isStreamed: Bool) -> (index: Int, state: CallState)? {
        let seen = current(index)
        guard seen.isFree else { return nil }
        let mine = seen.sending(by: peer, isStreamed: isStreamed)
        return change(index, seen, mine) ? (index, mine) : nil
    }

    /// Ends a call that is in the state `seen`. False if it is not any more.
    @inline(__always)
    func free(_ index: Int, _ seen: CallState) -> Bool {
        guard change(index, seen, seen.freed()) else { return false }
        hints.set(index)
        return true
    }

    /// After a death.
    func remakeHints() { hints.setAll() }
}
