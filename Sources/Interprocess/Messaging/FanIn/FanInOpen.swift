import CInterprocess
import InterprocessSystem
import SystemPackage

/// Opening and making the segments of fan-in queues, and claiming their lanes.
enum FanInSegment {
    /// Bytes of a lane's ring if no capacity is given.
    static let defaultLaneSize = 64 << 10
    /// A sleeping sender is woken when so many eighths of what it had sent are received.
    static let eighthsWanted: UInt64 = 7
    /// The receiver goes on to the next lane when it has taken so much of a lane: this part of the ring.
    static let turn: UInt64 = 2
    /// Besides the senders: the receiver, and a few more for restarts that overlap.
    private static let morePeers = 8

    static func open(
        _ name: ObjectName, _ element: ElementDescription, capacity: Int?, _ options: FanInOptions
    ) throws(InterprocessError) -> Segment {
        let label = name.description
        let (shape, laneCapacity) = try shape(element, capacity: capacity, options, label)
        let plan = SegmentPlan(
            kind: .fanIn, objectSize: shape.objectSize, dataSize: shape.lanes * shape.laneSize, mirrorsData: false, capacity: laneCapacity,
            element: element, lifetime: options.lifetime, maximumPeers: shape.lanes + morePeers, reservedDataSize: 0,
            minimumObjectSize: MemoryLayout<ipc_fan_in>.size)
        let segment = try Segment.make(
            OpenMode(options.existence), plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: capacity, recovery: .fanIn, keepAbandoned: { isWorthKeeping($0) },
            initialize: { FanInWords($0, shape).initialize() })
        return segment
    }

    private static func shape(
        _ element: ElementDescription, capacity: Int?, _ options: FanInOptions, _ label: String
    ) throws(InterprocessError) -> (shape: FanInShape, capacity: Int) {
        func refuse(_ reason: String) -> InterprocessError { InterprocessError(.invalidArgument, "create", label, reason) }
        guard (1...Int(IPC_MAXIMUM_LANES)).contains(options.maximumSenders) else {
            throw refuse("a fan-in queue has 1 to \(IPC_MAXIMUM_LANES) senders, not \(options.maximumSenders)")
        }
        let alignment = RecordGeometry.alignment(for: element.alignment)
        let record = RecordGeometry.size(payload: element.size, alignment: alignment)
        let usual = element.size == 0 ? defaultLaneSize - 3 * alignment : max(1, (defaultLaneSize - 2 * alignment) / record)
        let capacity = capacity ?? usual
        guard capacity > 0 else { throw refuse("the capacity must be at least 1, not \(capacity)") }
        let (bytes, overflow) = capacity.multipliedReportingOverflow(by: element.size == 0 ? 1 : record)
        guard !overflow, bytes <= SegmentPlan.maximumSize / options.maximumSenders else {
            throw refuse("\(options.maximumSenders) lanes of that capacity are more than the largest possible segment, 1 TiB; ask for less")
        }
        let ring = element.size == 0 ? RecordGeometry.ringSize(payload: capacity, alignment: alignment) : bytes + 2 * alignment
        return (FanInShape(lanes: options.maximumSenders, laneSize: SegmentPlan.roundUpToPage(ring)), capacity)
    }

    static func words(_ segment: Segment) throws(InterprocessError) -> FanInWords {
        do throws(QueueDamage) {
            return try FanInWords(checking: segment.mapping)
        } catch {
            throw InterprocessError(
                .damaged, "open", label(segment), "the queue is damaged (field '\(error.field)'); remove it and create it anew")
        }
    }

    static func label(_ segment: Segment) -> String { segment.name?.description ?? "anonymous fan-in queue" }

    /// Maps a lane's ring into this process.
    static func ring(_ segment: Segment, _ words: FanInWords, _ lane: Int, populate: Bool) throws(InterprocessError)
        -> UnsafeMutableRawPointer
    {
        do throws(Errno) {
            return try unsafe segment.mapping.mapLane(
                segment.file.descriptor, at: words.shape.ringRange(lane).lowerBound, size: words.shape.laneSize, populate: populate)
        } catch {
            throw .system(error, "open", label(segment), "mapping a lane")
        }
    }

    /// Claims a lane for a sender: one whose content was received if there is one, else any that no living sender has. O(lanes).
    ///
    /// **Death** killed before the role's compare-exchange, nothing has happened but that the lane's memory is reserved; after it, the lane is
    /// the dead one's until a survivor ends its session.
    static func claimLane(_ segment: Segment) throws(InterprocessError) -> QueueSession {
        let words = try words(segment)
        let table = segment.attachment.table
        let first = segment.peer.slot
        for mustBeEmpty in [true, false] {
            for step in 0..<words.shape.lanes {
                let lane = (first + step) % words.shape.lanes
                let laneWords = words.lane(lane)
                if let holder = RoleWord(word: laneWords.sender.loadSequential()).holder, table.condition(of: holder) == .alive { continue }
                if mustBeEmpty && laneWords.wasUsed && isWorthKeeping(laneWords, segment.mapping) { continue }
                try reserve(lane, words, segment)
                let ring = try unsafe ring(segment, words, lane, populate: true)
                do throws(InterprocessError) {
                    return try unsafe QueueSession(segment, laneWords, ring: ring, .sender, overflow: .wait)
                } catch {
                    // Another one was quicker.
                    guard error.code == .busy else { throw error }
                }
            }
        }
        throw InterprocessError(
            .busy, "open", label(segment),
            "each of its \(words.shape.lanes) lanes has a sender; close one, or make the queue with more (maximumSenders)")
    }

    /// Sees to it that a lane's ring can be written: before anybody claims it. A system call; changes nothing if it was done before.
    private static func reserve(_ lane: Int, _ words: FanInWords, _ segment: Segment) throws(InterprocessError) {
        do throws(Errno) {
            try segment.file.descriptor.reserve(
                words.shape.laneSize, from: segment.header.dataOffset + words.shape.ringRange(lane).lowerBound)
        } catch {
            guard error == .noSpace else { throw .system(error, "open", label(segment), "reserving a lane") }
            throw InterprocessError(
                .noSpace, "open", label(segment),
                "a lane needs \(byteCount(words.shape.laneSize)), which the file system has not; remove what is not needed ('ipc list'), or make it larger (in a container --shm-size)"
            )
        }
    }

    /// Whether the queue holds messages, or an ending, that nobody has been told.
    static func isWorthKeeping(_ mapping: SegmentMapping) -> Bool {
        // Damaged: whoever opens it is told.
        guard let words = try? FanInWords(checking: mapping) else { return true }
        return words.lanes.contains { $0.wasUsed && isWorthKeeping($0, mapping) }
    }

    /// Whether a lane that was used holds messages.
    private static func isWorthKeeping(_ words: QueueWords, _ mapping: SegmentMapping) -> Bool {
        guard let statistics = try? statistics(of: words, mapping.header.element) else { return true }
        return statistics.waiting != 0
    }

    /// What is in a lane. O(messages).
    static func statistics(of words: QueueWords, _ element: ElementDescription) throws(QueueDamage) -> QueueStatistics {
        let alignment = RecordGeometry.alignment(for: element.alignment)
        return try QueueWalk(words, alignment: alignment, elementSize: element.size).statistics()
    }

    /// What is in all lanes together.
    static func statistics(_ mapping: SegmentMapping, _ label: String) throws(InterprocessError) -> QueueStatistics {
        do throws(QueueDamage) {
            let words = try FanInWords(checking: mapping)
            var sum = QueueStatistics(received: 0, sent: 0, waiting: 0, dropped: 0, waitingBytes: 0, ringBytes: mapping.header.dataSize)
            for lane in words.lanes where lane.wasUsed {
                let one = try statistics(of: lane, mapping.header.element)
                sum = QueueStatistics(
                    received: sum.received &+ one.received, sent: sum.sent &+ one.sent, waiting: sum.waiting &+ one.waiting, dropped: 0,
                    waitingBytes: sum.waitingBytes + one.waitingBytes, ringBytes: sum.ringBytes)
            }
            return sum
        } catch {
            throw InterprocessError(.damaged, "validate", label, "the field '\(error.field)' is impossible; remove it and create it anew")
        }
    }
}

extension Sender {
    /// Opens the fan-in queue `name` as one of its senders; makes it if there is none. The sender has a lane of its own, and everything
    /// that ``Sender`` says of its queue holds of this lane: its capacity, what is waiting, ``nextSequence``. A lane that a sender has left goes on with the next one.
    ///
    /// - Parameters:
    ///   - capacity: how many messages a lane takes, at least. An existing queue must have as many; nil accepts any, and makes one whose lanes
    ///     take 64 KiB.
    /// - Throws: ``InterprocessError`` as ``init(to:capacity:options:strategy:)``; `busy` if each lane has a living sender, `noSpace` also if there is
    ///   no memory for the lane, which is had when the first sender claims it.
    public init(
        toFanIn name: ObjectName, capacity: Int? = nil, options: FanInOptions = FanInOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let segment = try FanInSegment.open(name, ElementDescription(of: Element.self), capacity: capacity, options)
        core = try QueueSenderCore(
            try FanInSegment.claimLane(segment), alignment: Self.alignment, elementSize: MemoryLayout<Element>.stride)
        self.strategy = strategy
    }
}

extension ByteSender {
    /// Opens the fan-in queue `name` of bytes as one of its senders; makes it if there is none. As ``Sender/init(toFanIn:capacity:options:strategy:)``.
    ///
    /// - Parameter capacity: the size in bytes of the largest message, and about how much a lane buffers. An existing queue must have as much;
    ///   nil accepts any, and makes one whose lanes take 64 KiB.
    public init(
        toFanIn name: ObjectName, capacity: Int? = nil, options: FanInOptions = FanInOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let segment = try FanInSegment.open(name, .bytes, capacity: capacity, options)
        core = try QueueSenderCore(try FanInSegment.claimLane(segment), alignment: Self.alignment, elementSize: 0)
        self.strategy = strategy
    }
}
