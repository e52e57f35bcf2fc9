import InterprocessSystem

/// A lock in an arena, for calls that hold it for some microseconds and throw ``ArenaError``.
///
/// **Death** in it: the next one takes it over. What the dead one has left is for the user of the lock to see in its words.
/// **Progress** as ``LockCore``.
struct ArenaLock: Sendable {
    let core: ArenaCore
    let lock: LockCore
    /// Of the word, for messages.
    let field: String

    init(_ core: ArenaCore, word: SharedUInt32, heir: SharedUInt32, field: String) {
        (self.core, self.field) = (core, field)
        lock = LockCore(word: word, heir: heir, core.segment.peer, core.segment.attachment.table)
    }

    /// One look for a call that wants the lock.
    func look(_ call: inout WaitingCall) throws(ArenaError) -> Look<Void> {
        switch lock.look(&call, isMine: { false }) {
        case .done(.free), .done(.abandoned): return .done(())
        case .done(.impossible), .done(.held): throw core.isDetached ? .detached : .damaged(field)
        case .busy: return .busy
        case .sleep(let words): return .sleep(words)
        }
    }

    /// - Throws: ``ArenaError`` `deadline`, `detached`, `damaged`.
    func enter(until deadline: Deadline) throws(ArenaError) {
        try core.check()
        if lock.takeFree() { return }
        var call = WaitingCall(maySleep: true)
        let ending = try WaitingCall.block(.adaptive, until: deadline, &call) { call throws(ArenaError) in try look(&call) }
        guard case .done = ending else {
            lock.giveUp(&call)
            throw .deadline
        }
    }

    func leave() { lock.letGo() }
    func giveUp(_ call: inout WaitingCall) { lock.giveUp(&call) }
}
