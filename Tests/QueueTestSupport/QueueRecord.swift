public import Interprocess
import InterprocessSystem

/// What the processes of a test write down in a segment of their own, so that it outlives them: what each was about to do, and what it has done.
///
/// Each word has one writer at a time. A process that takes over checks that the queue's own numbers lie between the two.
public struct QueueRecord: Sendable {
    public static let size = 4096

    public enum Word: Int, CaseIterable, Sendable {
        /// 1: finish and leave.
        case stop
        /// The sender is about to bring its number to this; it has brought it to this.
        case sendIntent, sent
        case receiveIntent, received
        /// How often receivers were told that the sender died, or closed.
        case deathsTold, closesTold
        /// 1 once something was wrong; the text says what.
        case failed
        /// Started and ready.
        case ready
    }

    public let segment: Segment

    public init(_ segment: Segment) { self.segment = segment }

    public static func create(in directory: ObjectDirectory) throws -> QueueRecord {
        QueueRecord(try Segment.create("record", size: size, in: directory))
    }

    public static func open(in directory: ObjectDirectory) throws -> QueueRecord { QueueRecord(try Segment.open("record", in: directory)) }

    public subscript(word: Word) -> UInt64 {
        get { shared(word).loadAcquire() }
        nonmutating set { shared(word).storeRelease(newValue) }
    }

    private func shared(_ word: Word) -> SharedUInt64 {
        unsafe segment.withBytes { unsafe SharedUInt64(at: $0.baseAddress! + word.rawValue * 64) }
    }

    private static let textOffset = 2048

    /// Writes down that something is wrong; the first time counts.
    public func fail(_ text: String) {
        guard self[.failed] == 0 else { return }
        unsafe segment.withBytes { bytes in
            let text = Array(text.utf8.prefix(Self.size - Self.textOffset - 1)) + [0]
            for (index, byte) in text.enumerated() { unsafe bytes[Self.textOffset + index] = byte }
        }
        self[.failed] = 1
    }

    /// What is wrong; nil if nothing is.
    public var failure: String? {
        guard self[.failed] != 0 else { return nil }
        return unsafe segment.withBytes { bytes in
            let text = unsafe bytes[Self.textOffset...].prefix { $0 != 0 }
            return unsafe String(decoding: text, as: UTF8.self)
        }
    }

    /// All words, for the report of a test that hangs.
    public var summary: String { Word.allCases.map { "\($0) \(self[$0])" }.joined(separator: ", ") }
}
