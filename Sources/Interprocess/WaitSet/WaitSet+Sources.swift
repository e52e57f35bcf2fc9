extension WaitSet {
    /// Watches a receiver: ready when ``Receiver/tryReceive()`` would give a message, or tell of an end that nobody was told of: that the sender has closed, or died.
    /// After that it is ready again when a next sender has sent something, or has ended.
    ///
    /// The receiver stays its owner's. When it closes, the source is reported as closed, once. O(1).
    public mutating func add<Element: Shareable>(_ receiver: borrowing Receiver<Element>) -> Source {
        add(.object(WatchedReceiver(receiver.core.session, receiver.core.dropping, alignment: receiver.core.alignment)))
    }

    /// Watches a receiver of bytes, as ``add(_:)-(Receiver<Element>)``.
    public mutating func add(_ receiver: borrowing ByteReceiver) -> Source {
        add(.object(WatchedReceiver(receiver.core.session, receiver.core.dropping, alignment: receiver.core.alignment)))
    }

    /// Watches a fan-in queue's receiver: ready when ``FanInReceiver/tryReceive()`` would give a message, or tell of a death or of the end.
    ///
    /// The receiver stays its owner's. When it closes, the source is reported as closed, once. O(lanes that were ever used).
    public mutating func add<Element: Shareable>(_ receiver: borrowing FanInReceiver<Element>) -> Source {
        add(.object(WatchedFanIn(receiver.lanes)))
    }

    /// Watches a fan-in queue's receiver of bytes, as ``add(_:)-(FanInReceiver<Element>)``.
    public mutating func add(_ receiver: borrowing FanInByteReceiver) -> Source { add(.object(WatchedFanIn(receiver.lanes))) }

    /// Watches the room in a sender's queue, or lane: ready when ``Sender/trySend(_:)`` would send a message, or say that the receiver has closed or died. A queue that drops
    /// messages is always ready.
    ///
    /// The sender stays its owner's. When it closes, the source is reported as closed, once. O(1); the first look is O(messages in the queue).
    public mutating func add<Element: Shareable>(roomIn sender: borrowing Sender<Element>) -> Source {
        add(
            .object(
                WatchedSender(
                    sender.core.session, knownReceiver: sender.core.knownReceiver, alignment: sender.core.alignment,
                    elementSize: sender.core.elementSize, recordSize: Sender<Element>.recordSize)))
    }

    /// Watches the room for a message of `bytes` bytes, as ``add(roomIn:)``.
    ///
    /// - Parameter bytes: at least 0 and at most ``ByteSender/maximumMessageSize``, which is a precondition.
    public mutating func add(roomFor bytes: Int, in sender: borrowing ByteSender) -> Source {
        precondition(
            bytes >= 0 && bytes <= sender.maximumMessageSize, "WaitSet.add(roomFor:in:): no message of this queue has \(bytes) bytes")
        return add(
            .object(
                WatchedSender(
                    sender.core.session, knownReceiver: sender.core.knownReceiver, alignment: sender.core.alignment, elementSize: 0,
                    recordSize: RecordGeometry.size(payload: bytes, alignment: sender.core.alignment))))
    }

    /// Watches an event: ready while it is set; one that does not reset itself also once if it was set and reset since it was last reported.
    ///
    /// Of an event that resets itself nothing is taken: ``SharedEvent/tryWait()`` does. Others who wait for it are woken as well, and one of all comes through. O(1).
    public mutating func add(_ event: SharedEvent) -> Source {
        add(.object(event.resetting == .manual ? WatchedWord.manual(event) : WatchedWord.units(event.core, event.object)))
    }

    /// Watches a semaphore: ready when ``SharedSemaphore/tryWait()`` would take a unit. Others who wait for it are woken as well. O(1).
    public mutating func add(_ semaphore: SharedSemaphore) -> Source {
        add(.object(WatchedWord.units(semaphore.core, semaphore.object)))
    }

    /// Watches a notifier's listener: ready when ``SharedNotifier/Listener/poll()`` would find something. O(1).
    public mutating func add(_ listener: SharedNotifier.Listener) -> Source {
        add(.object(WatchedWord(watch: { listener.watch(&$0) }, isDetached: { listener.notifier.object.isDetached })))
    }

    /// Watches a shared queue's messages: ready when ``SharedQueue/tryReceive()`` or ``SharedQueue/tryTake()`` would give a message, or say that the queue is
    /// finished. Others who wait for a message are woken as well, and one of all gets it. O(1).
    public mutating func add(_ queue: AnySharedQueue) -> Source { add(.object(WatchedWord.messages(queue.core))) }

    /// Watches the room in a shared queue: ready when ``SharedQueue/trySend(_:priority:)`` would send a message, or say that the queue is finished. A queue that
    /// drops messages is always ready. O(1), while it is full O(its capacity).
    public mutating func add(roomIn queue: AnySharedQueue) -> Source { add(.object(WatchedWord.room(queue.core))) }

    /// Watches a latest value: ready when one was stored since the source was added, or was last reported. O(1).
    public mutating func add<Value: Shareable>(changesOf latest: LatestValue<Value>) -> Source {
        add(.object(WatchedWord.changes(latest)))
    }

    /// Watches a subscriber: ready when ``Subscriber/tryReceive()`` would give a message or say that the topic is finished.
    ///
    /// The subscriber stays its owner's. When it closes, the source is reported as closed, once. O(1).
    public mutating func add<Element: Shareable>(_ subscriber: borrowing Subscriber<Element>) -> Source {
        add(.object(WatchedWord.subscriber(subscriber.core.topic)))
    }

    /// Watches a subscriber of bytes, as ``add(_:)-(Subscriber<Element>)``.
    public mutating func add(_ subscriber: borrowing ByteSubscriber) -> Source {
        add(.object(WatchedWord.subscriber(subscriber.core.topic)))
    }

    /// Watches a server: ready when ``Server/tryTake()`` would take a call, or the server was stopped. Other servers that wait are woken as well, and one of all gets the call. O(1).
    public mutating func add(_ server: AnyServer) -> Source {
        let core = server.core
        return add(
            .object(
                WatchedWord(
                    watch: { core.watch(&$0) }, isDetached: { core.segment.attachment.isForeign }, passOn: { core.passOn() })))
    }

    /// Watches the deaths of a segment's peers: ready when ``DeathListener/poll()`` would tell of one. O(1).
    public mutating func add(_ deaths: DeathListener) -> Source { add(.object(deaths)) }
}
