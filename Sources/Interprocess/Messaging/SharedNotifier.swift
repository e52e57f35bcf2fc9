import InterprocessSystem

/// Numbers of which any process notifies, and any number of listeners that each get every notification.
///
/// ```swift
/// let doors = try SharedNotifier(named: "doors", ids: 12)
/// try doors.notify(3)                                     // any process, any number of them
///
/// let listener = doors.listen()                           // each listener gets what comes from now on
/// for door in try listener.wait() { print("door \(door.id), \(door.count) times") }
/// ```
///
/// Notifications of one id that come before a listener has looked are one ``Notification`` to it, with their count: so nobody waits for a listener, nothing is ever
/// full, and who only wants to know whether leaves the count alone. The order between ids is not kept.
///
/// **Layout** "synchronization object", and "notifier group" behind it, for each 64 ids: a shared count for each id that never goes down. What a listener has seen is
/// its own.
/// **Memory** 128 bytes and 576 for each 64 ids, which is ``byteCount(ids:)``; a named one takes whole pages, and 8 KiB besides for its header and its peers (32 of them; 128 bytes for each).
/// **Memory order** `SYNC notifier.changes`: what was written before ``notify(_:count:)`` is seen by whoever gets the notification.
/// **Death** of who notifies: it has or has not. If it is killed before it could wake the listeners, its death does. Of a listener: nothing.
/// **Progress** notifying is wait-free but for waking, and never blocks.
/// **Trust** counts that somebody writes who should not are reported as they differ; no place follows from what is read.
public final class SharedNotifier: Sendable {
    let object: SynchronizationObject
    let words: NotifierWords
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// The most ids: 4,096.
    public static let maximumIDs = 4096

    /// One id of which somebody has notified.
    public struct Notification: Sendable, Hashable {
        public let id: Int
        /// How often since the listener last looked; at least 1.
        public let count: Int

        public init(id: Int, count: Int) { (self.id, self.count) = (id, count) }
    }

    /// Opens the notifier `name`, or makes it.
    ///
    /// - Parameter ids: how many there are, numbered from 0; the same in all programs. 64 of them take 576 bytes.
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `sizeMismatch` if it was made with another
    ///   number, `invalidArgument` for a number below 1 or above ``maximumIDs``.
    public convenience init(
        named name: ObjectName, ids: Int, options: SynchronizationOptions = SynchronizationOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(ids, name.description), options), ids, strategy)
    }

    /// Opens the notifier that stands `offset` bytes into the data of a plain segment, or makes it there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``, and as ``init(named:ids:options:strategy:)``.
    public convenience init(in segment: Segment, at offset: Int, ids: Int, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(ids, "notifier")), ids, strategy)
    }

    /// Bytes that a notifier of so many ids takes in a segment.
    public static func byteCount(ids: Int) -> Int { SynchronizationWords.valueOffset(slots: 0) + NotifierWords.dataSize(ids) }

    private static func plan(_ ids: Int, _ label: String) throws(InterprocessError) -> SynchronizationPlan {
        guard (1...maximumIDs).contains(ids) else {
            throw InterprocessError(.invalidArgument, "create", label, "a notifier has 1 to \(maximumIDs) ids, not \(ids)")
        }
        return SynchronizationPlan(kind: .notifier, limit: ids, dataSize: NotifierWords.dataSize(ids)) {
            NotifierWords($0, ids: ids).initialize()
        }
    }

    private init(_ object: SynchronizationObject, _ ids: Int, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        words = NotifierWords(object.words, ids: ids)
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// How many ids there are.
    public var ids: Int { words.ids }

    /// Notifies all listeners of `id`, `count` times. Never blocks. O(1), and O(sleepers) for the kernel; no system call unless somebody sleeps.
    ///
    /// - Throws: ``WaitError`` `impossible` if there is no such id, or for a count below 0; `detached`, `damaged`.
    public func notify(_ id: Int, count: Int = 1) throws(WaitError) {
        guard (0..<ids).contains(id) else { throw .impossible("the notifier has the ids 0 to \(ids - 1), not \(id)") }
        guard count >= 0 else { throw .impossible("nobody can be notified \(count) times") }
        guard ClaimWord.isOpen(words.word.loadRelaxed()) else { throw failure }
        if count == 0 { return }
        words.count(of: id).add(UInt64(count))
        words.changes(ofGroup: id / NotifierWords.idsPerGroup).add(1)
        words.wake()
    }

    /// A listener to all ids: it gets every notification from now on. O(ids).
    public func listen() -> Listener { Listener(self, wanted: wanted(0..<ids)) }

    /// A listener to `ids` alone. O(ids of the notifier).
    ///
    /// - Throws: ``WaitError`` `impossible` if there is no such id.
    public func listen(to ids: some Sequence<Int>) throws(WaitError) -> Listener {
        let ids = Array(ids)
        if let wrong = ids.first(where: { !(0..<self.ids).contains($0) }) {
            throw .impossible("the notifier has the ids 0 to \(self.ids - 1), not \(wrong)")
        }
        return Listener(self, wanted: wanted(ids))
    }

    private func wanted(_ ids: some Sequence<Int>) -> [UInt64] {
        var wanted = [UInt64](repeating: 0, count: NotifierWords.groups(self.ids))
        for id in ids { wanted[id / NotifierWords.idsPerGroup] |= 1 << UInt64(id % NotifierWords.idsPerGroup) }
        return wanted
    }

    var failure: WaitError { object.isDetached ? .detached : .damaged("word") }
}
