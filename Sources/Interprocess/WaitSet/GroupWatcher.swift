import CInterprocess
import InterprocessSystem
import SystemPackage

/// A thread that sleeps on words that do not fit into the caller's own wait, and counts up the caller's word when one of them changes.
///
/// It goes on sleeping between two waits of the caller, since mostly the next one has the same words. So it may be woken in place of somebody else who waits there:
/// it wakes all others that sleep on a word that has changed.
final class GroupWatcher: Sendable {
    private struct State {
        var words: [SleepWords] = []
        /// What keeps the words mapped.
        var owners: [any WatchedObject] = []
        var isOver = false
    }

    private let state = Lock(State())
    private let mine = ControlWord()

    /// The most words for one thread: those of one call of the kernel, but for its own.
    static let mostWords = Futex.maximumWords - 1

    /// - Parameter control: counted up, and woken.
    init(poking control: ControlWord) throws(Errno) {
        try startServiceThread(named: "ipc-watcher") { [self] in run(control) }
    }

    /// Watches `words` from now on, at most ``mostWords``, until one changes. No system call if it does so already.
    func assign(_ words: [SleepWords], of owners: [any WatchedObject]) {
        let isNew = state.withLock { state in
            if state.words.elementsEqual(words, by: { $0.isSame(as: $1) }) { return false }
            state.words = words
            state.owners = owners
            return true
        }
        if isNew { mine.incrementAndWake() }
    }

    /// Lets go of everything, and ends the thread.
    func end() {
        state.withLock { $0 = State(isOver: true) }
        mine.incrementAndWake()
    }

    private func run(_ control: ControlWord) {
        while true {
            let seen = mine.value
            let now = state.withLock { $0 }
            if now.isOver { return }
            guard !now.words.isEmpty else {
                mine.wait(while: seen)
                continue
            }
            var words = [mine.waiter(while: seen)]
            for some in now.words { some.append(to: &words) }
            unsafe words.withUnsafeMutableBufferPointer { buffer in
                // All are mapped: `now` holds their owners.
                _ = try? unsafe Futex.wait(any: buffer)
            }
            for some in now.words { some.passOn() }
            guard now.words.contains(where: { $0.haveChanged }) else { continue }
            state.withLock { state in
                // Others may have been assigned meanwhile.
                if state.words.elementsEqual(now.words, by: { $0.isSame(as: $1) }) { (state.words, state.owners) = ([], []) }
            }
            control.incrementAndWake()
        }
    }
}

extension SleepWords {
    /// Whether they are the same words, with the same values.
    func isSame(as other: SleepWords) -> Bool {
        unsafe event.rawAddress == other.event.rawAddress && eventSeen == other.eventSeen && life?.rawAddress == other.life?.rawAddress
            && lifeSeen == other.lifeSeen
    }
}
