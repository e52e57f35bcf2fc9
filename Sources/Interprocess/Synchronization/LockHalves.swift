/// The two halves of what is otherwise one call, for the crash lab, which kills between them and in each of them alone. They do not notice a thread that waits for itself.
extension SharedMutex {
    package func acquire(until deadline: Deadline = .never) throws(LockError) {
        if !core.takeFree() { try take(until: deadline) }
    }

    package func relinquish() { core.letGo() }

    /// As ``relinquish()``, but wakes nobody: a mistake that the lab's storms have to find.
    package func relinquishSilently() {
        if !core.letGoUnmarked() { _ = core.word.compareExchange(core.claim | ClaimWord.marked, ClaimWord.free | ClaimWord.marked) }
    }
}

extension SharedReadWriteLock {
    package func acquire(forWriting isWriting: Bool, until deadline: Deadline = .never) throws(LockError) {
        try core.take(isWriting ? .changing : .reading, until: deadline)
    }

    package func relinquish(forWriting isWriting: Bool) {
        if isWriting { core.stopChanging() } else { core.stopReading() }
    }
}
