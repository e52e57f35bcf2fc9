/// Why a call over a handoff has no output.
public enum HandoffCallError: Error, Sendable, Equatable {
    /// The other side has closed, exited or been killed, perhaps in the middle of the method.
    case ended(HandoffEnd)
    /// The other side has no method of this number.
    case unknownMethod(UInt32)
    /// The method has thrown this.
    case failed(HandoffFailure)
    /// The other side does not take this part of the call.
    case refused(HandoffMismatch)
    /// This part of what the other side has sent is not what this side takes. Thrown out of a method, it makes the caller's `refused`.
    case mismatch(HandoffMismatch)
    /// So many bytes are free for arrays.
    case noRoom(needed: Int, free: Int)
    /// 64 calls are open, each inside of the one before.
    case tooDeep
    /// The other side has given the turn with `yield`, not with an answer. This side has the turn; the call is over.
    case yielded
    /// What the turn came with belongs to another call than is waited for, or has not been looked at: see the methods' descriptions.
    case outOfStep
    /// The deadline passed; the other side still has the turn, and may still answer.
    case deadline
    /// The task was cancelled; the other side still has the turn, and may still answer.
    case cancelled
    /// The other side has the turn.
    case notYourTurn
    /// This side is in no pair: its last ``Handoff/rejoin(until:)`` has failed.
    case unpaired
    /// This process was forked from the one that joined; join anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    init(_ error: HandoffError) {
        self =
            switch error {
            case .deadline: .deadline
            case .cancelled: .cancelled
            case .notYourTurn: .notYourTurn
            case .unpaired: .unpaired
            case .detached: .detached
            case .damaged(let field): .damaged(field)
            }
    }
}

/// What a method throws to tell its caller a number of its own, such as an error code.
public struct HandoffFailure: Error, Sendable, Hashable {
    /// Its meaning is the method's. 0: the method has thrown something else, which its own side has been told.
    public var code: UInt32

    public init(code: UInt32) { self.code = code }

    /// Of a failure of which nothing more is to be said: code 0.
    public static let unspecified = HandoffFailure(code: 0)
}

/// Which part of a call the two sides do not agree about.
public enum HandoffMismatch: UInt32, Sendable, Hashable, CaseIterable {
    /// The size of the arguments.
    case arguments = 1
    /// The size of the output.
    case output = 2
    /// An array's offset: outside of the data, or not aligned for its elements.
    case offset = 3
    /// An array's count: it reaches beyond the data.
    case count = 4
    /// An array's elements: of another size or type.
    case element = 5
    /// The method needs more room for arrays of its own than there is.
    case room = 6
    /// More calls are open than are possible, each inside of the one before.
    case depth = 7
}

extension HandoffMismatch: CustomStringConvertible {
    public var description: String {
        switch self {
        case .arguments: "the size of the arguments"
        case .output: "the size of the output"
        case .offset: "the offset of an array"
        case .count: "the count of an array"
        case .element: "the elements of an array"
        case .room: "the room for arrays"
        case .depth: "the number of open calls"
        }
    }
}

extension HandoffCallError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ended(let end): "\(end) before it answered the call"
        case .unknownMethod(let id): "the other side has no method \(id); give both sides the same methods"
        case .failed(let failure): "the method has failed on the other side, with code \(failure.code)"
        case .refused(let part): "the other side does not take the call because of \(part); declare the method alike on both sides"
        case .mismatch(let part): "\(part) that the other side sent is not what this side takes; declare the method alike on both sides"
        case .noRoom(let needed, let free):
            "\(needed) bytes are needed for an array and \(free) are free; release arrays, or ask for more with HandoffOptions.dataSize"
        case .tooDeep: "\(Handoff.maximumDepth) calls are open, each inside of the one before; let the methods call one another less deeply"
        case .yielded: "the other side gave the turn with yield() instead of answering the call"
        case .outOfStep:
            "no call is open whose answer could come, or the turn came with something else than what is waited for: then rejoin"
        default: turnDescription
        }
    }

    private var turnDescription: String {
        switch self {
        case .deadline: HandoffError.deadline.description
        case .cancelled: HandoffError.cancelled.description
        case .notYourTurn:
            "the turn is the other side's: wait for it with awaitTurn(), or, after a call that reached its deadline, with awaitAnswer()"
        case .unpaired: HandoffError.unpaired.description
        case .detached: HandoffError.detached.description
        case .damaged(let field): HandoffError.damaged(field).description
        default: ""
        }
    }
}
