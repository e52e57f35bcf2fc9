public import SystemPackage

/// Queues of no name, for a parent and its children or for whoever is sent the descriptor. Sealed: no peer can shrink them.
///
/// ```swift
/// let queue = try Segment.anonymousQueue(of: Reading.self)
/// let child = try ChildProcess(starting: "/usr/bin/worker", arguments: ["3"], descriptors: [(queue.descriptor, 3)])
/// var sender = try Sender<Reading>(descriptor: queue.descriptor)
/// ```
/// and in the child `try Receiver<Reading>(descriptor: FileDescriptor(rawValue: 3))`.
extension Segment {
    /// Creates a queue of no name for values of one type. The caller is a peer, without a role.
    ///
    /// - Throws: ``InterprocessError`` `noSpace`, `invalidArgument`, `system`.
    public static func anonymousQueue<Element: Shareable>(
        of type: Element.Type, capacity: Int? = nil, overflow: QueueOverflow = .wait
    ) throws(InterprocessError) -> Segment {
        try anonymousQueue(ElementDescription(of: type), capacity, overflow)
    }

    /// Creates a queue of no name for messages of bytes.
    ///
    /// - Throws: ``InterprocessError`` `noSpace`, `invalidArgument`, `system`.
    public static func anonymousByteQueue(capacity: Int? = nil, overflow: QueueOverflow = .wait) throws(InterprocessError) -> Segment {
        try anonymousQueue(.bytes, capacity, overflow)
    }

    private static func anonymousQueue(
        _ element: ElementDescription, _ capacity: Int?, _ overflow: QueueOverflow
    ) throws(InterprocessError) -> Segment {
        let label = "anonymous queue"
        let plan = try QueueSegment.plan(element, capacity: capacity, lifetime: .untilLastPeerLeaves, label: label)
        let file = try SegmentFile.createAnonymous(plan, label: label) { (mapping) throws(InterprocessError) in
            PeerTable(mapping: mapping).initialize()
            QueueWords(mapping).initialize(overflow)
        }
        return try Segment(file, nil, recovery: .queue, keepAbandoned: { _ in true }, "create")
    }

    /// Opens a queue behind a descriptor.
    fileprivate static func queue(_ descriptor: FileDescriptor, _ element: ElementDescription) throws(InterprocessError) -> Segment {
        let label = "descriptor \(descriptor.rawValue)"
        let plan = try QueueSegment.plan(element, capacity: nil, lifetime: .untilLastPeerLeaves, label: label)
        let check: (SegmentHeader) throws(InterprocessError) -> Void = { (header) throws(InterprocessError) in
            try header.check(kind: .queue, element: element, objectSize: plan.objectSize, minimumCapacity: nil, "open", label)
        }
        let file = try SegmentFile.open(descriptor, label: label, expecting: check, mirrorsData: true)
        return try Segment(file, nil, recovery: .queue, keepAbandoned: { _ in true }, "open")
    }
}

extension Sender {
    /// Opens the queue behind an inherited or received descriptor, which stays the caller's, as its sender. Errors are those of opening by
    /// name, and `notASegment` for a descriptor of something else, `system` for a closed one.
    public init(descriptor: FileDescriptor, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(Segment.queue(descriptor, ElementDescription(of: Element.self)), strategy, nil)
    }
}

extension Receiver {
    /// Opens the queue behind an inherited or received descriptor, which stays the caller's, as its receiver. Errors are those of opening
    /// by name, and those of ``ByteSender/init(descriptor:strategy:)``.
    public init(descriptor: FileDescriptor, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(Segment.queue(descriptor, ElementDescription(of: Element.self)), strategy, nil)
    }
}

extension ByteSender {
    /// Opens the queue behind an inherited or received descriptor, which stays the caller's, as its sender. Errors are those of opening by
    /// name, and `notASegment` for a descriptor of something else, `system` for a closed one.
    public init(descriptor: FileDescriptor, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(Segment.queue(descriptor, .bytes), strategy, nil)
    }
}

extension ByteReceiver {
    /// Opens the queue behind an inherited or received descriptor, which stays the caller's, as its receiver. Errors are those of opening
    /// by name, and those of ``ByteSender/init(descriptor:strategy:)``.
    public init(descriptor: FileDescriptor, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(Segment.queue(descriptor, .bytes), strategy, nil)
    }
}
