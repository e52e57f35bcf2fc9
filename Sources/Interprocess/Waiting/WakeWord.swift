import InterprocessSystem

/// A word on which any number of callers sleep until there is something for one of them, and which wakes them one at a time.
///
/// **States** bit 0 marked: somebody sleeps, or is about to; bits 1–31 a number.
///
/// Who waits sets the mark, looks again, and sleeps on the value that it saw. Whoever has made something available looks at the mark; if it is set, it raises the number and wakes one. The mark
/// stays for the others. If nobody slept, the kernel adds one to the word and wakes all, in one call: that takes the mark away and raises the number by the carry, so that nobody goes to sleep on the old value, and
/// whoever did in between is woken. Two that add at once leave a false mark, which costs a system call.
///
/// **Memory order** `SYNC wakeword`: what is made available is published by a sequentially consistent read-modify-write before the look at the mark; the mark is set by
/// one before the look at what is available.
///
/// **Death** of who wakes, before the wake-up, and of who was woken, before it looked: all sleep on the segment's `deaths` as well. The addition of one that died in the call may come late: it only wakes. A
/// call that goes without, and has slept, passes on the wake-up that may have been its own. One that is stopped between publishing and waking, or between being woken and looking, delays one message
/// until the next one.
///
/// **Source** model Models/shared_queue_wait.pml, which shows what goes wrong if the number stays, or if taking the mark away and waking are two calls.
@usableFromInline
struct WakeWord: Sendable {
    @usableFromInline let word: SharedUInt32

    @usableFromInline static let marked: UInt32 = 1
    init(word: SharedUInt32) { self.word = word }

    private static let one: UInt32 = 2

    /// Sets the mark; the value to sleep on after another look.
    func prepare() -> UInt32 { word.setBits(Self.marked) | Self.marked }

    /// Whether somebody sleeps, or is about to.
    @inlinable @inline(__always) var isMarked: Bool { word.loadSequential() & Self.marked != 0 }

    /// After something was made available to one. One load if nobody sleeps.
    @inline(__always)
    func notifyOne() { if isMarked { wakeOne() } }

    private func wakeOne() {
        // With a new number: who sleeps on many words at once finds out by that which of them it was.
        while true {
            let seen = word.loadSequential()
            guard seen & Self.marked != 0 else { return }
            if word.compareExchange(seen, seen &+ Self.one) { break }
        }
        if unsafe Futex.wake(word.rawAddress, count: 1) == 0 { wakeAll() }
    }

    private func wakeAll() { unsafe Futex.change(word.rawAddress, .add(1), waking: .max) }

    /// After something has changed for all.
    func notifyAll() { if isMarked { wakeAll() } }
}
