import CInterprocess
import Synchronization

/// The shared words of a variable and its two values, and the steps of its protocol that wait for nobody.
///
/// **Layout** "variable", then two values.
///
/// **States** of `control`
///
/// | bits | meaning | who changes it |
/// |---|---|---|
/// | 0 full | the value with this number is there to be taken | who publishes; who takes |
/// | 1 open | always set; zero in a forked child, which is thereby found out | maker |
/// | 2–31 | the claim of who is changing it, as in a ``ClaimWord``; 0: nobody | the claimant; whoever finds it dead |
/// | 32–63 | the number of the last value that was put, modulo 2^32 | who publishes |
///
/// empty n → claimed, empty n → full n+1: put. full n → empty n: take; full n → claimed, full n → empty n: take by one who had to wait. full n → claimed, full n → full n+1:
/// swap, modify. claimed, full n → full n: a change that came to nothing. A claim of a dead peer's is none: whoever comes claims the word from it.
///
/// Value n is never written once it is published, until value n+2 is, which nobody begins before n+1 is published and claimed: what a claimant has half written is no
/// value.
///
/// **Memory order**
/// - `SYNC variable.control`: release by who publishes or takes ⇄ acquire by who comes next.
/// - `SYNC variable.claim`: `control` is claimed before the first byte of a value changes, with a release fence between; a reader has an acquire fence between its
///   copy and its second look at `control`. So a reader that has copied a byte of value n+2 sees the number n+1 with a claim, or a later one.
///
/// A number comes again after 2^32 values: who is stopped in the middle of its copy, and goes on just then, would take the value that it had copied.
///
/// **Source** a sequence lock with two versions, as ``LatestWords``, of which the word that says "being written" names who writes. Model: Models/variable.pml.
@safe @usableFromInline
struct VariableWords: @unchecked Sendable {
    @usableFromInline let control: SharedUInt64
    /// Where who takes, swaps or changes sleeps.
    @usableFromInline let takers: WakeWord
    /// Where who puts sleeps.
    @usableFromInline let putters: WakeWord
    @usableFromInline let readers: WakeWord
    let nextTaker: SharedUInt32
    let nextPutter: SharedUInt32
    @usableFromInline let values: UnsafeMutableRawPointer
    /// Bytes from one value to the other.
    @usableFromInline let stride: Int

    @usableFromInline static let full: UInt64 = 1
    @usableFromInline static let open: UInt64 = 2
    @usableFromInline static let claim: UInt64 = 0xffff_fffc
    /// How many values stand behind the words.
    static let places = 2

    init<Value>(at base: UnsafeMutableRawPointer, _ type: Value.Type) {
        func word(_ field: PartialKeyPath<ipc_variable>) -> SharedUInt32 {
            guard let offset = MemoryLayout<ipc_variable>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
            return unsafe SharedUInt32(at: base + offset)
        }
        control = unsafe SharedUInt64(at: base)
        takers = WakeWord(word: word(\.takers))
        putters = WakeWord(word: word(\.putters))
        readers = WakeWord(word: word(\.readers))
        nextTaker = word(\.next_taker)
        nextPutter = word(\.next_putter)
        unsafe values = base + Self.valueOffset(type)
        stride = MemoryLayout<Value>.stride
    }

    /// The half of `control` that names the claimant: a ``ClaimWord`` but for its lowest bit.
    static func lowControl(at base: UnsafeMutableRawPointer) -> SharedUInt32 {
        // The processors that this runs on put it first.
        unsafe SharedUInt32(at: base)
    }

    private static func valueOffset<Value>(_ type: Value.Type) -> Int {
        let (head, alignment) = (MemoryLayout<ipc_variable>.size, MemoryLayout<Value>.alignment)
        return (head + alignment - 1) / alignment * alignment
    }

    /// Bytes of all words and values.
    static func size<Value>(_ type: Value.Type) -> Int { valueOffset(type) + places * MemoryLayout<Value>.stride }

    /// Before anybody else can see it.
    func initialize<Value: BitwiseCopyable>(_ initial: Value?) {
        for word in [takers.word, putters.word, readers.word] { word.storeRelaxed(0) }
        for word in [nextTaker, nextPutter] { word.storeRelaxed(ClaimWord.free) }
        if let initial { unsafe value(1).storeBytes(of: initial, as: Value.self) }
        _ = control.exchange(initial == nil ? Self.open : 1 << 32 | Self.open | Self.full)
    }

    // MARK: Values

    /// The number, modulo 2^32, of the last value.
    @inlinable @inline(__always)
    static func number(_ control: UInt64) -> UInt64 { control >> 32 }

    @inlinable @inline(__always)
    func value(_ number: UInt64) -> UnsafeMutableRawPointer { unsafe values + Int(number & 1) * stride }

    /// Whether the variable is in the state `full` (or 0: empty), and nobody is changing it.
    @inlinable @inline(__always)
    static func isFree(_ control: UInt64, _ full: UInt64) -> Bool { control & (claim | open | full | Self.full) == open | full }

    /// The reader's second look, after it has copied the value that `before` names.
    @inlinable @inline(__always)
    func isWhole(_ before: UInt64) -> Bool {
        // SYNC variable.claim
        atomicMemoryFence(ordering: .acquiring)
        let after = control.loadAcquire()
        let steps = UInt32(truncatingIfNeeded: Self.number(after) &- Self.number(before))
        return after & Self.open != 0 && (steps == 0 || steps == 1 && after & Self.claim == 0)
    }

    // MARK: Steps of a claimant, who has made `control` what it calls `claimed`

    /// Where the next value is to be written, and its number.
    @inlinable @inline(__always)
    func begin(_ claimed: UInt64) -> UInt64 {
        // SYNC variable.claim
        atomicMemoryFence(ordering: .releasing)
        return Self.number(claimed) &+ 1
    }

    /// Makes the value that comes next, which is written, the one that is there. False: somebody wrote there who should not, or this is a forked child.
    @inlinable @inline(__always)
    func publish(_ claimed: UInt64) -> Bool {
        // SYNC variable.control
        control.compareExchange(claimed, (Self.number(claimed) &+ 1) << 32 | Self.open | Self.full)
    }

    /// Takes the value away that is there; `seen` is full, and claimed by the caller or by nobody.
    @inlinable @inline(__always)
    func empty(_ seen: UInt64) -> Bool { control.compareExchange(seen, seen & ~(Self.claim | Self.full)) }

    /// Leaves it as it was.
    @inlinable @inline(__always)
    func release(_ claimed: UInt64) -> Bool { control.compareExchange(claimed, claimed & ~Self.claim) }
}
