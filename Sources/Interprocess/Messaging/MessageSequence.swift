/// A receiver or subscriber that can be read as an asynchronous sequence.
protocol MessageSource: ~Copyable {
    associatedtype Message
    associatedtype Failure: Error

    /// The next message; nil at the end.
    mutating func nextMessage() async throws(Failure) -> Message?
}

/// The messages of a source as an asynchronous sequence, which has taken the source over. It stays in the task that made it, since the source has one reader.
struct MessageSequence<Source: MessageSource & ~Copyable>: AsyncSequence {
    typealias Element = Source.Message
    typealias Failure = Source.Failure

    private let box: Box

    /// A sequence is copied, a source is not.
    fileprivate final class Box {
        var source: Source
        init(_ source: consuming Source) { self.source = source }
    }

    init(_ source: consuming Source) { box = Box(source) }

    func makeAsyncIterator() -> Iterator { Iterator(box: box) }

    struct Iterator: AsyncIteratorProtocol {
        fileprivate let box: Box

        mutating func next() async throws(Failure) -> Source.Message? { try await box.source.nextMessage() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(Failure) -> Source.Message? {
            try await box.source.nextMessage()
        }
    }
}
