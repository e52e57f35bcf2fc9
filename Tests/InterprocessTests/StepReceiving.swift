import InterprocessSystem
import QueueTestSupport

@testable import Interprocess

/// The survivor of killed senders: a receiver that lives through all of them.
final class StepReceiving {
    private var typed: Receiver<Numbered>?
    private var bytes: ByteReceiver?

    private let drops: Bool

    init(typed options: QueueOptions) throws {
        drops = options.overflow == .dropOldest
        typed = try Receiver(from: "q", capacity: 20, options: options)
    }

    init(bytes options: QueueOptions) throws {
        drops = false
        bytes = try ByteReceiver(from: "q", capacity: 1000, options: options)
    }

    var next: UInt64 { typed?.nextSequence ?? bytes?.nextSequence ?? 0 }

    var segment: Segment {
        if let segment = typed?.segment ?? bytes?.segment { return segment }
        preconditionFailure("one of the two is open")
    }

    enum Found: Equatable { case message, closed, died }

    /// The next message, checked, or the next end; what must come is there, so nothing waits.
    func receive() throws -> Found {
        var number = next
        do {
            if bytes != nil {
                guard
                    let result = try bytes?.receive(
                        until: .now, { NumberedBytes.isWhole($0, number, limit: NumberedBytes.smallLimit) })
                else { return .closed }
                guard result.get() else { throw TestFailure("message \(number) is not whole") }
            } else {
                guard let message = try typed?.receive(until: .now) else { return .closed }
                // Higher if older messages were dropped.
                if drops { number = next - 1 }
                guard message.isWhole(number) else { throw TestFailure("instead of message \(number): \(message)") }
            }
            return .message
        } catch ReceiveError.peerDied {
            return .died
        }
    }

    /// Makes room for a victim that sleeps.
    func takeWaiting() throws {
        for _ in 0..<(try QueueInspection.validate(segment).waiting) { _ = try receive() }
    }

    /// After the victim's death: everything that it sent, then its end, then a new sender's message and end.
    func goOn(after operation: String, _ record: QueueRecord, from first: UInt64, _ options: QueueOptions) throws {
        var ends: [Found] = []
        let isLooseSession = operation == "joinSender" || operation == "closeSender"
        if !isLooseSession {
            while ends.isEmpty { if let end = try receiveEnd() { ends.append(end) } }
            guard try receive() == .died else { throw TestFailure("the victim's death is not told again") }
        }
        let fresh = try StepSending(isBytes: bytes != nil, options)
        let sent = fresh.next
        let (least, most) = (max(first, record[.sent]), max(first, record[.sent], record[.sendIntent]))
        guard sent >= least, sent <= most else {
            throw TestFailure("the victim's messages end at \(sent), which should be \(least) or \(most)")
        }
        guard !operation.hasSuffix("Batch") || sent == least || sent == most else {
            throw TestFailure("a part of a batch was published: up to \(sent) of \(most)")
        }
        try fresh.send(1, asBatch: false)
        while next <= sent { if let end = try receiveEnd() { ends.append(end) } }
        fresh.close()
        guard try receive() == .closed, try receive() == .closed else { throw TestFailure("the new sender's end was not told") }
        try check(ends, operation)
    }

    private func receiveEnd() throws -> Found? {
        let found = try receive()
        return found == .message ? nil : found
    }

    private func check(_ ends: [Found], _ operation: String) throws {
        let allowed: [[Found]]
        switch operation {
        // Joining and closing went before once: that session has closed. Killed while joining, the victim may not have been a sender yet; killed when it was, but had not
        // yet said what it follows, its end stands for both.
        case "joinSender": allowed = [[.closed], [.closed, .died], [.died]]
        case "closeSender": allowed = [[.closed, .closed], [.closed, .died]]
        default: allowed = [[.died]]
        }
        guard allowed.contains(ends) else { throw TestFailure("these ends were told: \(ends)") }
    }
}
