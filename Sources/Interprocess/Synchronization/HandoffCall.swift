import CInterprocess

/// A function that one side of a handoff calls and the other one performs. Declared once, and known to both.
///
/// ```swift
/// enum Solve: HandoffMethod {
///     static let id: UInt32 = 1
///     struct Arguments: Shareable {
///         var numbers: SharedSlice<Int64>          // in the shared memory: read and written in place
///         var limit: Int64
///     }
///     typealias Output = Int64
/// }
/// ```
/// The caller:
/// ```swift
/// var judge = try Handoff.join("round-1", as: .parent, options: HandoffOptions(dataSize: 1 << 20))
/// let numbers = try judge.allocate(repeating: Int64(0), count: 1000)
/// let best = try judge.call(Solve.self, Solve.Arguments(numbers: numbers, limit: 10))
/// let changed = try judge.span(of: numbers)[0]
/// ```
/// Who performs:
/// ```swift
/// var contestant = try Handoff.join("round-1", as: .child, options: HandoffOptions(dataSize: 1 << 20))
/// try contestant.serve { side, method in
///     switch method {
///     case Solve.id:
///         try side.answer(Solve.self) { side, arguments in
///             var numbers = try side.mutableSpan(of: arguments.numbers)
///             …
///         }
///     default: break                                // the caller gets `unknownMethod`
///     }
/// }
/// ```
///
/// Either side may call while it has the turn, also from inside of a method that the other one has called.
///
/// **Layout** "handoff" and "handoff slice" in Documentation/Layout. Arguments and output stand in the control block, as the fields of a C structure do,
/// ``Handoff/maximumScalars`` bytes at most; arrays in the data.
/// **Memory order** that of the turn, `SYNC handoff.turn`: a call is a turn with more than a value.
/// **Death** of who performs a method is the caller's `ended`; of the caller, the end of the serving. What was written into arrays until then stays,
/// and can be read until this side rejoins. The next pair begins with no arrays.
/// **Progress** two turns for each call: no system call while both sides poll, no allocation.
/// **Trust** every word of a call is read once and checked; a bad one is an error that names it. The scalars are copied out before the method runs,
/// with the bit patterns that the other side has chosen. Elements of arrays are the other side's to change, if it breaks the rule that only one runs.
/// **Source** decision record 0006.
public protocol HandoffMethod {
    associatedtype Arguments: Shareable = NoValue
    associatedtype Output: Shareable = NoValue
    /// The number by which the two sides know it.
    static var id: UInt32 { get }
}

/// The arguments, or the output, of a method that has none.
public struct NoValue: Shareable, Hashable {
    @inlinable public init() {}
}

extension Handoff {
    /// The most bytes that the arguments, or the output, of a method have.
    public static var maximumScalars: Int { HandoffCallWords.scalarSize }
    /// The most calls that are open at once, each made from inside of the one before.
    public static var maximumDepth: Int { 64 }

    /// Lets the other side perform a method: gives it the turn, and waits for the answer, or until `deadline`. Calls that the other side makes
    /// meanwhile are answered with `unknownMethod`.
    ///
    /// O(1), two turns. After the deadline the other side still has the turn: go on with ``awaitAnswer(to:until:)``.
    ///
    /// - Throws: ``HandoffCallError``: `ended`; `failed`, `unknownMethod`, `refused` as the other side says; `deadline`; `tooDeep`; `notYourTurn`,
    ///   `unpaired`, `detached`; `outOfStep` if another call is open that this side has to answer or to await; `yielded`; `damaged`.
    @inlinable
    public mutating func call<Method: HandoffMethod>(
        _ method: Method.Type, _ arguments: Method.Arguments, until deadline: Deadline = .never
    ) throws(HandoffCallError) -> Method.Output {
        try place(arguments, of: method)
        return try awaitAnswer(to: method, until: deadline)
    }

    /// As ``call(_:_:until:)``, and performs what the other side calls meanwhile by `body`; see ``serve(until:_:)``.
    ///
    /// - Throws: ``HandoffCallError`` as there; and what `body` throws of other errors, after which ``awaitAnswer(to:until:)`` goes on.
    @inlinable
    @_disfavoredOverload
    public mutating func call<Method: HandoffMethod>(
        _ method: Method.Type, _ arguments: Method.Arguments, until deadline: Deadline = .never,
        answering body: (inout Handoff, UInt32) throws -> Void
    ) throws -> Method.Output {
        try place(arguments, of: method)
        return try awaitAnswer(to: method, until: deadline, answering: body)
    }

    /// Waits for the answer to a call whose waiting ended before: with `deadline`, with `cancelled`, or with an error of a body's own.
    ///
    /// - Throws: ``HandoffCallError`` as ``call(_:_:until:)``; `outOfStep` if no such call is open. Where a deadline ended a call that was made from
    ///   inside of a method, that method's caller can't be answered any more: rejoin.
    @inlinable
    public mutating func awaitAnswer<Method: HandoffMethod>(
        to method: Method.Type, until deadline: Deadline = .never
    ) throws(HandoffCallError) -> Method.Output {
        try checkOutstanding(MethodSignature(method))
        while try awaitAnswerOrCall(until: deadline) != nil { try refuseInside() }
        return takeOutput(of: method)
    }

    /// As ``awaitAnswer(to:until:)``, and performs what the other side calls meanwhile by `body`.
    @inlinable
    @_disfavoredOverload
    public mutating func awaitAnswer<Method: HandoffMethod>(
        to method: Method.Type, until deadline: Deadline = .never, answering body: (inout Handoff, UInt32) throws -> Void
    ) throws -> Method.Output {
        try checkOutstanding(MethodSignature(method))
        while let called = try awaitAnswerOrCall(until: deadline) { try performInside(called, body) }
        return takeOutput(of: method)
    }

    /// Gives the turn away with a call.
    @inlinable
    mutating func place<Method: HandoffMethod>(_ arguments: Method.Arguments, of method: Method.Type) throws(HandoffCallError) {
        let signature = MethodSignature(method)
        inspect(method)
        try prepareCall(signature)
        unsafe callWords.scalars.storeBytes(of: arguments, as: Method.Arguments.self)
        try giveCall(signature)
    }

    @inlinable
    func takeOutput<Method: HandoffMethod>(of method: Method.Type) -> Method.Output { takeScalars(Method.Output.self) }

    /// Stops the program if arguments or output hold a pointer; looks when a method is first used.
    @inlinable
    mutating func inspect<Method: HandoffMethod>(_ method: Method.Type) {
        guard isNew(Method.id) else { return }
        _ = (ElementDescription(of: Method.Arguments.self), ElementDescription(of: Method.Output.self))
    }

    @usableFromInline
    mutating func isNew(_ method: UInt32) -> Bool {
        let bit: UInt64 = 1 << UInt64(method % 64)
        defer { calls.inspected |= bit }
        return calls.inspected & bit == 0
    }

    /// Reads the scalars, once.
    @inlinable
    func takeScalars<Value: Shareable>(_ type: Value.Type) -> Value {
        let value = unsafe callWords.scalars.load(as: Value.self)
        settle()
        return value
    }
}

// MARK: One side's part in a call, without waiting

extension Handoff {
    @usableFromInline
    func prepareCall(_ signature: MethodSignature) throws(HandoffCallError) {
        guard value != nil else { throw noTurn }
        // A call that came and was not looked at, or not answered; an answer that nobody waited for.
        guard calls.kind == TurnKind.value.rawValue, calls.request == nil, calls.outstanding == nil else { throw .outOfStep }
        guard calls.depth < Self.maximumDepth else { throw .tooDeep }
    }

    @usableFromInline
    mutating func giveCall(_ signature: MethodSignature) throws(HandoffCallError) {
        calls.depth += 1
        calls.outstanding = OutstandingCall(method: signature.id, outputSize: signature.outputSize, depth: calls.depth)
        callWords.method.storeRelaxed(signature.id)
        callWords.depth.storeRelaxed(calls.depth)
        callWords.size.storeRelaxed(signature.size)
        callWords.outputSize.storeRelaxed(signature.outputSize)
        try give(.call)
    }

    mutating func give(_ kind: TurnKind) throws(HandoffCallError) {
        do throws(HandoffError) { try give(0, kind) } catch { throw HandoffCallError(error) }
    }

    /// Why this side does not have the turn.
    var noTurn: HandoffCallError { end.map { .ended($0) } ?? (isPaired ? .notYourTurn : .unpaired) }

    @usableFromInline
    func checkOutstanding(_ signature: MethodSignature) throws(HandoffCallError) {
        if calls.outstanding?.method != signature.id || calls.outstanding?.outputSize != signature.outputSize {
            throw calls.outstanding == nil && value == nil ? noTurn : .outOfStep
        }
    }

    /// What was read of shared memory before this is not read again after it.
    @usableFromInline @inline(never)
    func settle() { ipc_compiler_fence() }

    /// Looks at what came with the turn that this side has, while its call is open.
    mutating func lookForAnswer() throws(HandoffCallError) -> CallEvent {
        guard let open = calls.outstanding else { throw .outOfStep }
        switch try calls.takeKind() {
        case .call: return try takeCall()
        case .value:
            closeCall(open)
            throw .yielded
        case let kind:
            guard callWords.depth.loadRelaxed() == open.depth, calls.depth == open.depth else { throw .outOfStep }
            let (size, code) = (callWords.size.loadRelaxed(), callWords.code.loadRelaxed())
            closeCall(open)
            switch kind {
            case .failure: throw .failed(HandoffFailure(code: code))
            case .unknownMethod: throw .unknownMethod(open.method)
            case .refusal:
                guard let part = HandoffMismatch(rawValue: code) else { throw .damaged("code") }
                throw .refused(part)
            default:
                guard size == open.outputSize else { throw .damaged("size") }
                return .isOver
            }
        }
    }

    private mutating func closeCall(_ open: OutstandingCall) {
        calls.outstanding = nil
        if calls.depth == open.depth { calls.depth -= 1 }
    }
}
