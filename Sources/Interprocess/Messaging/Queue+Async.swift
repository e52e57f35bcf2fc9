/// The asynchronous forms: no thread is blocked, and a cancelled task's waiting ends with `cancelled` at once. They sleep on ``InterprocessExecutor``, see
/// there.
extension Sender {
    /// Sends `element`; suspends while the queue is full, or until `deadline`.
    ///
    /// - Throws: ``SendError`` with the element: `cancelled`, or what the blocking form throws.
    public mutating func send(_ element: Element, until deadline: Deadline = .never) async throws(SendError<Element>) {
        while !append(element) {
            if let reason = await core.suspendForRoom(Self.recordSize, until: deadline) {
                if reason == .full { return core.countDropped(1) }
                throw SendError(reason, element)
            }
        }
    }
}

extension Receiver {
    /// Receives the next message; suspends until there is one, or until `deadline`. Nil when the sender has closed and everything was
    /// received.
    ///
    /// - Throws: ``ReceiveError``: `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(ReceiveError) -> Element? {
        while true {
            do throws(ReceiveError) {
                if let element = try tryReceive() { return element }
            } catch {
                if error == .closed { return nil }
                throw error
            }
            if let error = await core.suspendForMessage(until: deadline) { throw error }
        }
    }

    /// The messages as a sequence, which takes the receiver over: it ends when the sender closes, and throws ``ReceiveError/peerDied(_:)``
    /// when it has died.
    ///
    /// ```swift
    /// for try await reading in receiver.messages() { … }
    /// ```
    public consuming func messages() -> some AsyncSequence<Element, ReceiveError> { MessageSequence(self) }
}

extension ByteSender {
    /// Sends a copy of `bytes` as one message; suspends while there is no room, or until `deadline`.
    ///
    /// - Throws: ``SendError``: `cancelled`, or what the blocking form throws.
    public mutating func send(_ bytes: [UInt8], until deadline: Deadline = .never) async throws(SendError<Void>) {
        let record = RecordGeometry.size(payload: bytes.count, alignment: Self.alignment)
        while true {
            do throws(SendError<Void>) { return unsafe try trySend(bytes.span.bytes) } catch {
                guard error.reason == .full else { throw error }
            }
            if let reason = await core.suspendForRoom(record, until: deadline) {
                if reason == .full { return core.countDropped(1) }
                throw SendError(reason, ())
            }
        }
    }
}

extension ByteReceiver {
    /// Receives a copy of the next message; suspends until there is one, or until `deadline`. Nil when the sender has closed and everything
    /// was received.
    ///
    /// - Throws: ``ReceiveError``: `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(ReceiveError) -> [UInt8]? {
        while true {
            do throws(ReceiveError) {
                if let message = try tryReceive(copyOf) { return message.get() }
            } catch {
                if error == .closed { return nil }
                throw error
            }
            if let error = await core.suspendForMessage(until: deadline) { throw error }
        }
    }

    /// Copies of the messages as a sequence, which takes the receiver over; as ``Receiver/messages()``.
    public consuming func messages() -> some AsyncSequence<[UInt8], ReceiveError> { MessageSequence(self) }
}

extension QueueSenderCore {
    /// One step of waiting for room without blocking: nil to try again, or a reason to give up.
    mutating func suspendForRoom(_ size: Int, until deadline: Deadline) async -> SendFailure? {
        if let failure = failure() { return failure }
        mustLook = false
        if makeRoom(size) { return nil }
        if session.overflow != .wait { return failure() ?? .full }
        if deadline.hasPassed { return .deadline }
        guard let words = prepareToSleep(size) else { return nil }
        let outcome = await InterprocessExecutor.shared.wait(on: words, of: session, until: deadline)
        session.sleeper.cancel()
        return outcome == .cancelled ? .cancelled : nil
    }
}

extension QueueReceiverCore {
    /// One step of waiting for a message without blocking: nil to look again, or the reason to give up.
    mutating func suspendForMessage(until deadline: Deadline) async -> ReceiveError? {
        if session.isDetached { return .detached }
        if deadline.hasPassed { return .deadline }
        guard let words = prepareToSleep() else { return nil }
        let outcome = await InterprocessExecutor.shared.wait(on: words, of: session, until: deadline)
        session.sleeper.cancel()
        return outcome == .cancelled ? .cancelled : nil
    }
}

extension Receiver: MessageSource {
    mutating func nextMessage() async throws(ReceiveError) -> Element? { try await receive() }
}

extension ByteReceiver: MessageSource {
    mutating func nextMessage() async throws(ReceiveError) -> [UInt8]? { try await receive() }
}
