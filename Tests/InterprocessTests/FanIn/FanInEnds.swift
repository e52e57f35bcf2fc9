import Interprocess

/// Ends of a fan-in queue that can be used in expectations, which copy what they mention.
final class FanInReceiving<Message: Shareable> {
    private var end: FanInReceiver<Message>?
    let segment: Segment

    init(_ end: consuming FanInReceiver<Message>) {
        segment = end.segment
        self.end = consume end
    }

    private func use<R>(_ body: (inout FanInReceiver<Message>) throws(ReceiveError) -> R) throws(ReceiveError) -> R {
        guard var end = end.take() else { preconditionFailure("it is closed") }
        do throws(ReceiveError) {
            let result = try body(&end)
            self.end = consume end
            return result
        } catch {
            self.end = consume end
            throw error
        }
    }

    func tryReceive() throws(ReceiveError) -> Message? { try use { (end) throws(ReceiveError) in try end.tryReceive() } }
    func receive(until deadline: Deadline) throws(ReceiveError) -> Message? {
        try use { (end) throws(ReceiveError) in try end.receive(until: deadline) }
    }
    var waiting: UInt64 { get throws(ReceiveError) { try use { (end) throws(ReceiveError) in end.waiting } } }
    func add(to set: inout WaitSet) throws -> WaitSet.Source { try use { (end) throws(ReceiveError) in set.add(end) } }
    func close() { end = nil }
}

final class FanInSending<Message: Shareable> {
    private var end: Sender<Message>?
    init(_ end: consuming Sender<Message>) { self.end = consume end }

    private func use<R>(_ body: (inout Sender<Message>) throws(SendError<Message>) -> R) throws(SendError<Message>) -> R {
        guard var end = end.take() else { preconditionFailure("it is closed") }
        do throws(SendError<Message>) {
            let result = try body(&end)
            self.end = consume end
            return result
        } catch {
            self.end = consume end
            throw error
        }
    }

    func trySend(_ message: Message) throws(SendError<Message>) {
        try use { (end) throws(SendError<Message>) in try end.trySend(message) }
    }
    func send(_ message: Message, until deadline: Deadline = .never) throws(SendError<Message>) {
        try use { (end) throws(SendError<Message>) in try end.send(message, until: deadline) }
    }
    func waitForReceiver(until deadline: Deadline) throws -> Bool {
        try use { (end) throws(SendError<Message>) in end.waitForReceiver(until: deadline) }
    }
    func close() { end = nil }
}
