import CrashLab
import Interprocess

/// What the ledger holds of a queue: to which number somebody was about to bring it, and to which it was brought.
enum Mark {
    static let sendIntent = 0, sent = 1, takeIntent = 2, taken = 3
    /// 1: the side that was killed has a successor.
    static let succeeded = 4
    /// Ends that the side that lives on was told of.
    static let ends = 5
}

extension Site {
    static let queue = ObjectName(stringLiteral: "q")
    var options: QueueOptions { QueueOptions(directory: directory) }

    func sending(_ number: UInt64, _ count: UInt64, _ body: () throws -> Void) rethrows {
        ledger[Mark.sendIntent] = number + count
        try body()
        ledger[Mark.sent] = number + count
    }

    func taking(_ number: UInt64, _ count: UInt64, _ body: () throws -> Void) rethrows {
        ledger[Mark.takeIntent] = number + count
        try body()
        ledger[Mark.taken] = number + count
    }
}

/// What a receiver was told.
enum Told: Equatable { case message, nothing, closed, died }

/// One end of a queue as a scenario's survivor holds it, of either kind of queue.
protocol ReceivingEnd: AnyObject, SendableMetatype {
    init(_ site: Site) throws
    var next: UInt64 { get }
    var segment: Segment { get }
    /// The next message, checked, or what is told instead.
    func receive(until deadline: Deadline) throws -> Told
}

extension ReceivingEnd {
    /// From a queue that may hold anything: all that matters is that the calls come back.
    func receiveWhatever() {
        for _ in 0..<4 { _ = try? receive(until: .now) }
        _ = try? QueueInspection.validate(segment)
    }
}

protocol SendingEnd: AnyObject, SendableMetatype {
    init(_ site: Site) throws
    var next: UInt64 { get }
    /// Sends message ``next``.
    func send(until deadline: Deadline) throws
    /// The same while the receiver stands still, or there is none yet: whether it was sent. There may be no room, but nobody has died.
    func sendToOneWhoStands() throws -> Bool
    func close()
}

extension SendFailure {
    fileprivate var isLateness: Bool {
        get throws {
            switch self {
            case .deadline, .full: true
            default: throw Violation("the receiver lives, and the sender was told: \(self)")
            }
        }
    }
}

final class TypedReceiving: ReceivingEnd {
    private var end: Receiver<Numbered>
    init(_ site: Site) throws { end = try Receiver(from: Site.queue, capacity: 20, options: site.options, strategy: .park) }
    var next: UInt64 { end.nextSequence }
    var segment: Segment { end.segment }

    func receive(until deadline: Deadline) throws -> Told {
        let number = next
        do throws(ReceiveError) {
            guard let message = try end.receive(until: deadline) else { return .closed }
            guard message.isWhole(number) else { throw ReceiveError.damaged("message \(number)") }
            return .message
        } catch {
            return try error.told
        }
    }
}

final class ByteReceiving: ReceivingEnd {
    private var end: ByteReceiver
    init(_ site: Site) throws {
        end = try ByteReceiver(from: Site.queue, capacity: NumberedBytes.capacity, options: site.options, strategy: .park)
    }
    var next: UInt64 { end.nextSequence }
    var segment: Segment { end.segment }

    func receive(until deadline: Deadline) throws -> Told {
        let number = next
        do throws(ReceiveError) {
            guard let result = try end.receive(until: deadline, { NumberedBytes.isWhole($0, number) }) else { return .closed }
            guard result.get() else { throw ReceiveError.damaged("message \(number)") }
            return .message
        } catch {
            return try error.told
        }
    }
}

extension ReceiveError {
    fileprivate var told: Told {
        get throws {
            switch self {
            case .deadline: .nothing
            case .closed: .closed
            case .peerDied: .died
            default: throw self
            }
        }
    }
}

final class TypedSending: SendingEnd {
    private var end: Sender<Numbered>?
    init(_ site: Site) throws { end = try Sender(to: Site.queue, capacity: 20, options: site.options, strategy: .park) }
    var next: UInt64 { end?.nextSequence ?? 0 }
    func send(until deadline: Deadline) throws {
        let message = Numbered(next)
        try end?.send(message, until: deadline)
    }
    func sendToOneWhoStands() throws -> Bool {
        let message = Numbered(next)
        do throws(SendError<Numbered>) {
            try end?.send(message, until: .after(.milliseconds(1)))
            return true
        } catch {
            return try !error.reason.isLateness
        }
    }
    func close() { end = nil }
    func send(batch count: UInt64) throws {
        let messages = (0..<count).map { Numbered(next + $0) }
        try end?.send(contentsOf: messages.span, until: .now)
    }
}

final class ByteSending: SendingEnd {
    private var end: ByteSender?
    init(_ site: Site) throws {
        end = try ByteSender(to: Site.queue, capacity: NumberedBytes.capacity, options: site.options, strategy: .park)
    }
    var next: UInt64 { end?.nextSequence ?? 0 }
    func send(until deadline: Deadline) throws {
        let message = NumberedBytes.make(next)
        try unsafe end?.send(message.span.bytes, until: deadline)
    }
    func sendToOneWhoStands() throws -> Bool {
        let message = NumberedBytes.make(next)
        do throws(SendError<Void>) {
            try unsafe end?.send(message.span.bytes, until: .after(.milliseconds(1)))
            return true
        } catch {
            return try !error.reason.isLateness
        }
    }
    func close() { end = nil }
}
