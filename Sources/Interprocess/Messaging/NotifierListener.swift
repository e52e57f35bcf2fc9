import InterprocessSystem

extension SharedNotifier {
    /// One that gets every notification of a notifier that comes after it was made; see ``SharedNotifier``.
    ///
    /// What it has seen is in this process alone. Threads and tasks that share a listener each get some of the notifications; for all of them, each takes a listener
    /// of its own.
    public final class Listener: Sendable {
        /// What it listens to.
        public let notifier: SharedNotifier
        private let view: Lock<NotifierView>
        private var object: SynchronizationObject { notifier.object }

        init(_ notifier: SharedNotifier, wanted: [UInt64]) {
            self.notifier = notifier
            let deaths = notifier.object.table.deaths.loadAcquire()
            view = Lock(NotifierView(notifier.words, deaths: deaths, wanted: wanted))
        }

        /// What has come since the last call, in the order of the ids; waits until something has, or until `deadline`. O(ids / 64), and O(64) for each 64 ids of
        /// which one has come; no system call if something is there.
        ///
        /// - Returns: at least one.
        /// - Throws: ``WaitError`` `deadline`, `detached`, `damaged`.
        public func wait(until deadline: Deadline = .never) throws(WaitError) -> [Notification] {
            var call = WaitingCall(maySleep: true)
            return try finish(WaitingCall.block(notifier.strategy, until: deadline, &call) { look(&$0) })
        }

        /// What has come since the last call; none if nothing has. Never blocks.
        ///
        /// - Throws: ``WaitError`` `detached`, `damaged`.
        public func poll() throws(WaitError) -> [Notification] {
            var call = WaitingCall(maySleep: false)
            guard case .done(let found) = look(&call) else { return [] }
            guard let found else { throw notifier.failure }
            return found
        }

        /// As ``wait(until:)``, and suspends instead of blocking.
        ///
        /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
        public func wait(until deadline: Deadline = .never) async throws(WaitError) -> [Notification] {
            var call = WaitingCall(maySleep: true)
            return try await finish(WaitingCall.suspend(object, until: deadline, &call) { look(&$0) })
        }

        /// The notifications as a sequence without end, which throws ``WaitError/cancelled`` when its task is cancelled.
        ///
        /// ```swift
        /// for try await door in doors.listen().notifications() { … }
        /// ```
        public func notifications() -> Notifications { Notifications(self) }

        /// Nil inside: the object is not there any more.
        private func look(_ call: inout WaitingCall) -> Look<[Notification]?> {
            look(&call) { view, deaths in
                let found = view.take(deaths)
                return found.isEmpty ? nil : found
            }
        }

        /// As a call that waits does, but takes nothing: true when there is something.
        func watch(_ call: inout WaitingCall) -> Look<Bool> {
            switch look(&call, { view, deaths in view.hasNews(deaths) ? true : nil }) {
            case .done(let isThere): .done(isThere ?? false)
            case .busy: .busy
            case .sleep(let words): .sleep(words)
            }
        }

        /// - Parameter find: looks for what is wanted; is given the deaths.
        private func look<Found>(_ call: inout WaitingCall, _ find: (inout NotifierView, UInt32) -> Found?) -> Look<Found?> {
            let words = notifier.words
            while true {
                // Before the counts: a death that is announced after this ends the sleep.
                let deaths = object.table.deaths.loadAcquire()
                let seen = words.word.loadSequential()
                guard ClaimWord.isOpen(seen) else { return .done(nil) }
                if let found = view.withLock({ find(&$0, deaths) }) { return .done(found) }
                guard call.maySleep else { return .busy }
                if NotifierWords.maySleep(on: seen) {
                    return .sleep(SleepWords(event: words.word, eventSeen: seen, life: object.table.deaths, lifeSeen: deaths))
                }
                words.mark(seen)
            }
        }

        private func finish(_ ending: WaitEnding<[Notification]?>) throws(WaitError) -> [Notification] {
            switch ending {
            case .done(let found?): return found
            case .done(nil): throw notifier.failure
            case .deadline: throw .deadline
            case .cancelled: throw .cancelled
            }
        }
    }

    /// The notifications that a listener gets, one after the other; see ``Listener/notifications()``.
    public struct Notifications: AsyncSequence, Sendable {
        public typealias Failure = WaitError

        private let listener: Listener

        init(_ listener: Listener) { self.listener = listener }

        public func makeAsyncIterator() -> Iterator { Iterator(listener: listener) }

        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let listener: Listener
            /// What came at once with the last one, the next one last.
            private var rest: [Notification] = []

            fileprivate init(listener: Listener) { self.listener = listener }

            public mutating func next() async throws(WaitError) -> Notification? {
                if rest.isEmpty { rest = try await listener.wait().reversed() }
                return rest.popLast()
            }

            public mutating func next(isolation actor: isolated (any Actor)?) async throws(WaitError) -> Notification? {
                try await next()
            }
        }
    }
}
