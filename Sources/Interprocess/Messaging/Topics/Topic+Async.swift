/// The asynchronous forms: no thread is blocked, and a cancelled task's waiting ends with `cancelled` at once. They sleep on ``InterprocessExecutor``, see
/// there.
extension Publisher {
    /// As ``publish(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``PublishError`` with the message: `cancelled`, or what the blocking form throws.
    public mutating func publish(_ message: Element, until deadline: Deadline = .never) async throws(PublishError<Element>) {
        switch await core.claim(MemoryLayout<Element>.size, until: deadline) {
        case .failed(let failure): throw PublishError(failure, message)
        case .chunk(let claim):
            unsafe core.bytes(claim).storeBytes(of: message, as: Element.self)
            guard let failure = await core.publish(claim, until: deadline) else { return }
            core.keep(claim)
            throw PublishError(failure, message)
        }
    }
}

extension Subscriber {
    /// As ``receive(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SubscriptionError`` `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(SubscriptionError) -> Element? {
        while true {
            guard let place = try await core.next(until: deadline) else { return nil }
            if let message = copy(place) { return message }
        }
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SubscriptionError`` `cancelled`, or what the blocking form throws.
    public mutating func take(until deadline: Deadline = .never) async throws(SubscriptionError) -> Sample<Element>? {
        guard let hold = try await core.take(until: deadline) else { return nil }
        return Sample(core.topic, hold)
    }

    /// The messages as a sequence, which takes the subscriber over: it ends when the topic is finished and everything was received.
    ///
    /// ```swift
    /// for try await reading in subscriber.messages() { show(reading.message, reading.missed) }
    /// ```
    public consuming func messages() -> some AsyncSequence<TopicMessage<Element>, SubscriptionError> { MessageSequence(self) }
}

/// A message of a topic, with its number.
public struct TopicMessage<Message: Sendable>: Sendable {
    public let message: Message
    /// Its number: the first message of a topic has number 0.
    public let sequence: UInt64
    /// How many messages before it this subscriber has missed since the one that it received before.
    public let missed: UInt64
}

extension Subscriber: MessageSource {
    mutating func nextMessage() async throws(SubscriptionError) -> TopicMessage<Element>? {
        guard let message = try await receive() else { return nil }
        return TopicMessage(message: message, sequence: lastSequence ?? 0, missed: lastMissed)
    }
}

extension ByteSubscriber: MessageSource {
    mutating func nextMessage() async throws(SubscriptionError) -> TopicMessage<[UInt8]>? {
        guard let message = try await receive() else { return nil }
        return TopicMessage(message: message, sequence: lastSequence ?? 0, missed: lastMissed)
    }
}
