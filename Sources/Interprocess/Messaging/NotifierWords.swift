import CInterprocess
import InterprocessSystem

/// The shared words of a notifier: the futex of those who wait, and a count for each id.
///
/// **States** of `word`
///
/// | bits | meaning | who changes it |
/// |---|---|---|
/// | 0 marked | somebody sleeps, or is about to | who is about to sleep; cleared by who has woken all in doubt |
/// | 1 open | always set; zero in a forked child, which is thereby found out | creator |
/// | 2 doubt | all that slept have been woken: perhaps nobody sleeps | who has woken all; cleared by who is about to sleep |
/// | 3–31 | counted up with each change, so that the word never comes back to a value that somebody compares | all |
///
/// Nobody sleeps on a word in doubt. So whoever finds one in doubt, and then wakes all, knows if the word is still the same that nobody sleeps, and takes the mark
/// away. Before that it stays: waking is one call of the kernel that changes the word as well, so that one that is stopped there has done all or leaves the mark
/// to the next who notifies.
///
/// **Memory order** `SYNC notifier.changes`: who notifies adds to the id's count, then to its group's changes, then looks at the mark, all sequentially consistent;
/// who waits sets the mark, then looks at the changes, then at the counts. So either the mark is seen, or the notification is.
///
/// **Death** of who notifies: before the count nothing has happened. Between the count and the changes it has happened for those who look at all counts, and all do
/// after a death. Between the changes and the wake-up: all sleep on the segment's `deaths` as well. Model: Models/notifier.pml.
struct NotifierWords: Sendable {
    let word: SharedUInt32
    private let object: SynchronizationWords
    let ids: Int

    private static let doubt: UInt32 = 4
    private static let step: UInt32 = 8

    static let idsPerGroup = Int(IPC_NOTIFIER_IDS)
    static func groups(_ ids: Int) -> Int { (ids + idsPerGroup - 1) / idsPerGroup }
    static func dataSize(_ ids: Int) -> Int { groups(ids) * MemoryLayout<ipc_notifier_group>.stride }

    init(_ object: SynchronizationWords, ids: Int) {
        self.object = object
        self.ids = ids
        word = object.word
    }

    /// Before anybody else can see it, in memory that a maker that died may have written to.
    func initialize() {
        for group in 0..<Self.groups(ids) {
            changes(ofGroup: group).storeRelaxed(0)
            for id in 0..<Self.idsPerGroup { count(of: group * Self.idsPerGroup + id).storeRelaxed(0) }
        }
        word.storeRelaxed(ClaimWord.open)
    }

    /// After a notification: wakes all who sleep. No system call if nobody does.
    func wake() {
        let seen = word.loadSequential()
        guard seen & ClaimWord.marked != 0 else { return }
        if seen & Self.doubt == 0 {
            unsafe Futex.change(word.rawAddress, .add(Int32(Self.step)), waking: .max)
            let now = word.loadSequential()
            if now & ClaimWord.marked != 0, now & Self.doubt == 0 { _ = word.compareExchange(now, (now &+ Self.step) | Self.doubt) }
        } else {
            unsafe Futex.wake(word.rawAddress)
            _ = word.compareExchange(seen, (seen &+ Self.step) & ~(ClaimWord.marked | Self.doubt))
        }
    }

    /// Whether who has seen this word, and then nothing that it waits for, may sleep on it.
    static func maySleep(on seen: UInt32) -> Bool { seen & (ClaimWord.marked | doubt) == ClaimWord.marked }

    /// Says that somebody is about to sleep, who then looks again: what came before this has woken nobody.
    func mark(_ seen: UInt32) { _ = word.compareExchange(seen, ((seen &+ Self.step) | ClaimWord.marked) & ~Self.doubt) }

    private func word64(_ group: Int, _ offset: Int) -> SharedUInt64 {
        precondition((0..<Self.groups(ids)).contains(group))
        return unsafe SharedUInt64(at: object.value + group * MemoryLayout<ipc_notifier_group>.stride + offset)
    }

    func changes(ofGroup group: Int) -> SharedUInt64 { word64(group, 0) }

    func count(of id: Int) -> SharedUInt64 {
        word64(id / Self.idsPerGroup, Self.countsOffset + id % Self.idsPerGroup * MemoryLayout<UInt64>.stride)
    }

    private static let countsOffset = MemoryLayout<ipc_notifier_group>.size - idsPerGroup * MemoryLayout<UInt64>.stride
}

/// What one listener has seen: private to it, so that one that is killed leaves nothing behind.
struct NotifierView {
    private let words: NotifierWords
    private var changes: [UInt64]
    private var counts: [UInt64]
    private var deaths: UInt32
    /// For each group, a bit for each id that is listened to.
    private let wanted: [UInt64]

    /// From now on: what is counted after this is news.
    ///
    /// - Parameter deaths: the segment's, read before this.
    init(_ words: NotifierWords, deaths: UInt32, wanted: [UInt64]) {
        self.words = words
        self.wanted = wanted
        self.deaths = deaths
        let groups = 0..<NotifierWords.groups(words.ids)
        // The changes first: who is between the two adds is found when it has made the second.
        changes = groups.map { words.changes(ofGroup: $0).loadSequential() }
        counts = (0..<groups.count * NotifierWords.idsPerGroup).map { words.count(of: $0).loadSequential() }
    }

    /// Whether ``take(_:)`` would find something, without taking it. O(ids / 64), and O(64) for each group that has changed; O(ids) after a death.
    func hasNews(_ deaths: UInt32) -> Bool {
        for group in wanted.indices where wanted[group] != 0 {
            guard deaths != self.deaths || words.changes(ofGroup: group).loadSequential() != changes[group] else { continue }
            for id in ids(of: group) where words.count(of: id).loadSequential() != counts[id] { return true }
        }
        return false
    }

    /// What has come since the last time, in the order of the ids. As ``hasNews(_:)``.
    ///
    /// - Parameter deaths: the segment's, read before this. If they have changed, a notifier may have died between a count and its group's changes.
    mutating func take(_ deaths: UInt32) -> [SharedNotifier.Notification] {
        let isAfterDeath = deaths != self.deaths
        self.deaths = deaths
        var found: [SharedNotifier.Notification] = []
        for group in wanted.indices where wanted[group] != 0 {
            // Before the counts: a notification after this changes it again.
            let now = words.changes(ofGroup: group).loadSequential()
            guard isAfterDeath || now != changes[group] else { continue }
            changes[group] = now
            for id in ids(of: group) {
                let count = words.count(of: id).loadSequential()
                guard count != counts[id] else { continue }
                found.append(SharedNotifier.Notification(id: id, count: Int(clamping: count &- counts[id])))
                counts[id] = count
            }
        }
        return found
    }

    private func ids(of group: Int) -> some Sequence<Int> {
        let wanted = wanted[group]
        return sequence(state: wanted) { rest in
            guard rest != 0 else { return nil }
            defer { rest &= rest &- 1 }
            return group * NotifierWords.idsPerGroup + rest.trailingZeroBitCount
        }
    }
}
