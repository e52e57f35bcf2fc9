import CInterprocess

/// What a turn is given with.
enum TurnKind: UInt32, Sendable {
    /// The value of ``Handoff/yield(_:until:)``.
    case value = 0
    case call = 1
    case answer = 2
    /// Instead of an answer: the other side has no such method.
    case unknownMethod = 3
    /// Instead of an answer: the method has failed, with a code of its own.
    case failure = 4
    /// Instead of an answer: the call was not what the method takes; see ``HandoffMismatch``.
    case refusal = 5
}

/// The words of a handoff's control block that a call stands in, its scalars, and the data area.
///
/// Written by who has the turn, before it gives it; read by who gets it. **Trust** each is read once, and checked before it is used.
@safe @usableFromInline
struct HandoffCallWords: @unchecked Sendable {
    let kind: SharedUInt32
    let method: SharedUInt32
    let depth: SharedUInt32
    let size: SharedUInt32
    let outputSize: SharedUInt32
    let code: SharedUInt32
    @usableFromInline let scalars: UnsafeMutableRawPointer
    @usableFromInline let data: UnsafeMutableRawPointer
    @usableFromInline let dataSize: Int

    /// The most bytes of scalars: the size of `ipc_handoff.scalars`.
    static let scalarSize = MemoryLayout<ipc_handoff>.offset(of: \ipc_handoff.parent)! - MemoryLayout<ipc_handoff>.offset(of: \.scalars)!
}

/// What this side alone knows of the calls of its pair. Nothing of it is read back from shared memory.
///
/// **States** `request` nil, `outstanding` nil: between calls. `request`: the other side's call has come and is not answered. `outstanding`: this
/// side's call is not answered. While a method runs, what belongs to the calls around it is with the functions that wait for it.
struct HandoffCalls: Sendable {
    /// The calls that are open, of both sides.
    var depth: UInt32 = 0
    /// Bytes of the data area that this side has allocated.
    var used = 0
    /// Of these, what was allocated before the innermost call came, which its method does not release.
    var floor = 0
    /// What the turn that this side has was given with, until it has been looked at; 0 also for what has none.
    var kind: UInt32 = 0
    /// Whether the other side has had the turn in this pair. Before, what it is said to have allocated was another's.
    var hasHeard = false
    /// The methods whose types have been looked through for pointers, by their numbers modulo 64.
    var inspected: UInt64 = 0
    var request: HandoffRequest?
    var outstanding: OutstandingCall?

    mutating func came(with kind: UInt32) {
        self.kind = kind
        hasHeard = true
    }

    /// Takes what the turn was given with: it is looked at once.
    mutating func takeKind() throws(HandoffCallError) -> TurnKind {
        guard let found = TurnKind(rawValue: kind) else { throw .damaged("kind") }
        kind = 0
        return found
    }
}

/// A call that the other side has made, as it came.
@usableFromInline
struct HandoffRequest: Sendable {
    let method: UInt32
    let size: UInt32
    let outputSize: UInt32
    /// Calls that are open, with this one.
    let depth: UInt32
    /// This side's arrays before it.
    let used: Int
    let floor: Int
}

/// A call that this side has made.
struct OutstandingCall: Sendable {
    let method: UInt32
    let outputSize: UInt32
    let depth: UInt32
}

/// What this side is to do with a turn that has come.
enum CallEvent: Sendable {
    /// Perform this method.
    case called(UInt32)
    /// Wait on: a call has come that was not possible, and its caller has been told.
    case refused
    /// Return: the answer is there, or the other side has given the turn for something else than a call.
    case isOver
}

/// What both sides must agree about.
@usableFromInline
struct MethodSignature: Sendable {
    let id: UInt32
    let size: UInt32
    let outputSize: UInt32

    @usableFromInline
    init<Method: HandoffMethod>(_ method: Method.Type) {
        id = Method.id
        let (size, outputSize) = (MemoryLayout<Method.Arguments>.size, MemoryLayout<Method.Output>.size)
        precondition(
            size <= HandoffCallWords.scalarSize && outputSize <= HandoffCallWords.scalarSize,
            "the arguments and the output of \(method) have \(size) and \(outputSize) bytes; \(HandoffCallWords.scalarSize) are possible, so pass what is larger as an array"
        )
        self.size = UInt32(size)
        self.outputSize = UInt32(outputSize)
    }
}
