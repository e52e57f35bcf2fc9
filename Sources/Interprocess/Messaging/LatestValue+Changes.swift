extension LatestValue {
    /// The values as they are stored, always the newest: who takes long for one misses those between, and is told how many. Begins with the value that is there now, or
    /// with the first that is stored after `sequence`. Ends when the task is cancelled; each iterator is a reader of its own.
    ///
    /// ```swift
    /// for try await change in position.changes() { show(change.value, change.missed) }
    /// ```
    public func changes(after sequence: UInt64? = nil) -> Changes { Changes(latest: self, sequence: sequence) }

    /// One value of ``changes(after:)``.
    public struct Change: Sendable {
        public let value: Value
        /// Its number; see ``Version``.
        public let sequence: UInt64
        /// How many were stored since the one before it in this sequence, and are gone; 0 for the first, unless `changes(after:)` was told where to begin.
        public let missed: UInt64
    }

    /// See ``changes(after:)``.
    public struct Changes: AsyncSequence, Sendable {
        public typealias Element = Change
        public typealias Failure = WaitError

        fileprivate let latest: LatestValue
        fileprivate let sequence: UInt64?

        public func makeAsyncIterator() -> Iterator { Iterator(latest: latest, sequence: sequence) }

        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let latest: LatestValue
            fileprivate var sequence: UInt64?

            /// - Throws: ``WaitError`` as ``LatestValue/next(after:until:)``, but for `cancelled`, which ends the sequence.
            public mutating func next() async throws(WaitError) -> Change? {
                // What is there already suspends nobody.
                if Task.isCancelled { return nil }
                let version: Version
                do throws(WaitError) {
                    if let sequence { version = try await latest.next(after: sequence) } else { version = try latest.loadVersioned() }
                } catch {
                    if error == .cancelled { return nil }
                    throw error
                }
                let missed = sequence.map { version.sequence - $0 - 1 } ?? 0
                sequence = version.sequence
                return Change(value: version.value, sequence: version.sequence, missed: missed)
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async throws(WaitError) -> Change? { try await next() }
        }
    }
}
