import InterprocessSystem
import QueueTestSupport

@testable import Interprocess

/// The survivor of killed receivers: a sender that lives through all of them. Also the sender that comes after a killed one.
final class StepSending {
    private var typed: Sender<Numbered>?
    private var bytes: ByteSender?
    /// The receiver that came after the last victim.
    private var receiver: StepReceiving?

    init(isBytes: Bool, _ options: QueueOptions) throws {
        if isBytes {
            bytes = try ByteSender(to: "q", capacity: 1000, options: options)
        } else {
            typed = try Sender(to: "q", capacity: 20, options: options)
        }
    }

    var next: UInt64 { typed?.nextSequence ?? bytes?.nextSequence ?? 0 }

    var segment: Segment {
        if let segment = typed?.segment ?? bytes?.segment { return segment }
        preconditionFailure("one of the two is open")
    }

    func close() {
        typed = nil
        bytes = nil
    }

    func endReceiver() { receiver = nil }

    /// There is room, so nothing waits.
    func send(_ count: Int, asBatch: Bool) throws {
        if asBatch {
            let messages = (0..<UInt64(count)).map { Numbered(next + $0) }
            try typed?.send(contentsOf: messages.span, until: .now)
            return
        }
        for _ in 0..<count {
            let number = next
            try typed?.send(Numbered(number), until: .now)
            _ = try bytes?.publish(byteCount: NumberedBytes.size(number, limit: NumberedBytes.smallLimit), until: .now) {
                NumberedBytes.fill(&$0, number)
            }
        }
    }

    /// After the victim's death: a new receiver gets everything that the victim had not taken, and what is sent now.
    func goOn(after operation: String, _ record: QueueRecord, from first: UInt64, _ options: QueueOptions) throws {
        let fresh = try bytes != nil ? StepReceiving(bytes: options) : StepReceiving(typed: options)
        receiver = fresh
        let (least, most) = (record[.received], record[.receiveIntent])
        guard fresh.next == least || fresh.next == most else {
            throw TestFailure("the next message is \(fresh.next); the victim had taken up to \(least) and was about to reach \(most)")
        }
        try send(2, asBatch: false)
        while fresh.next < next {
            guard try fresh.receive() == .message else { throw TestFailure("an end was told, and this sender lives") }
        }
    }
}
