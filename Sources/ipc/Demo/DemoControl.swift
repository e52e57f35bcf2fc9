import Interprocess
import InterprocessSystem
import SystemPackage

/// What the processes of a demonstration tell one another beside the stream: words in a segment of no name.
@safe
struct DemoControl {
    enum Word: Int, CaseIterable {
        /// The receiver is there.
        case ready
        /// Bytes and messages that the receiver has checked.
        case receivedBytes, receivedMessages
        /// When the parent killed, when a survivor noticed, and when the receiver was told. CLOCK_MONOTONIC.
        case killed, noticed, told
        /// Whose death it was told, and the next message then.
        case deadPID, sequenceAtDeath
        /// The first message of the sender that came last.
        case firstSequence
        /// When the first byte was sent and the last one checked. CLOCK_MONOTONIC.
        case start, end
        /// Processor time of the two sides between, in nanoseconds.
        case senderTime, receiverTime
        /// The hash of the whole stream on each side.
        case sentDigest, receivedDigest
    }

    private let segment: Segment

    /// The number by which children inherit it.
    static let descriptor: Int32 = 3
    private static let stride = 64

    init() throws(InterprocessError) { segment = try Segment.anonymous(size: Word.allCases.count * Self.stride) }

    /// In a child.
    static func inherited() throws -> DemoControl { DemoControl(try Segment.open(descriptor: .init(rawValue: descriptor))) }

    private init(_ segment: Segment) { self.segment = segment }

    /// To be given to children as ``descriptor``.
    var file: FileDescriptor { segment.descriptor }

    private func word(_ word: Word) -> SharedUInt64 {
        unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + word.rawValue * Self.stride) }
    }

    subscript(_ name: Word) -> UInt64 {
        get { word(name).loadAcquire() }
        nonmutating set { word(name).storeRelease(newValue) }
    }

    /// Sleeps until the word is not 0, or for at most `limit`; whether it is not 0.
    func wait(for name: Word, atMost limit: Duration) -> Bool {
        let deadline = MonotonicInstant.now.advanced(by: limit)
        while self[name] == 0 {
            if MonotonicInstant.now > deadline { return false }
            sleepThread(for: .microseconds(100))
        }
        return true
    }

    func stamp(_ name: Word) { self[name] = MonotonicInstant.now.nanoseconds }
}
