import CInterprocess
import InterprocessSystem

/// Opening and making services.
extension ServiceCore {
    /// What requests and replies are.
    struct Contents {
        var element: ElementDescription
        /// Bytes of the largest.
        var request: Int, reply: Int
        /// Whether they may stand in the record whatever their size allows.
        var requestAlignment = 1, replyAlignment = 1
        /// Bytes of a typed reply; 0: any size.
        var replyStride = 0

        static func bytes(_ request: Int, _ reply: Int) -> Contents { Contents(element: .bytes, request: request, reply: reply) }

        init(element: ElementDescription, request: Int, reply: Int) {
            (self.element, self.request, self.reply) = (element, request, reply)
        }

        init<Request: Shareable, Reply: Shareable>(_ request: Request.Type, _ reply: Reply.Type) {
            let (first, second) = (ElementDescription(of: request), ElementDescription(of: reply))
            element = ElementDescription(
                identifier: String(decoding: "\(first.identifier) -> \(second.identifier)".utf8.prefix(128), as: UTF8.self),
                size: first.size, alignment: first.alignment)
            (self.request, self.reply) = (first.size, second.size)
            (requestAlignment, replyAlignment) = (first.alignment, second.alignment)
            replyStride = second.size
        }
    }

    /// Bytes that a stream's client may be behind at least.
    static let leastReplyWindow = 64 << 10

    /// Calls in flight if no capacity is given.
    static let defaultCapacity = 64

    /// - Parameter capacity: an existing service must have as much; nil accepts any.
    convenience init(
        _ name: ObjectName, _ contents: Contents, capacity: Int?, _ options: ServiceOptions, isServer: Bool
    ) throws(InterprocessError) {
        let label = name.description
        let shape = try Self.shape(contents, capacity ?? Self.defaultCapacity, label)
        let plan = SegmentPlan(
            kind: .service, objectSize: shape.objectSize(peers: max(0, min(options.maximumPeers, Int(IPC_MAXIMUM_PEERS)))),
            dataSize: shape.calls * shape.windowSize, mirrorsData: false, capacity: shape.calls, element: contents.element,
            lifetime: options.lifetime, maximumPeers: options.maximumPeers, reservedDataSize: 0,
            minimumObjectSize: MemoryLayout<ipc_service>.size)
        let segment = try Segment.make(
            OpenMode(options.existence), plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            // A call without its client is nothing.
            minimumCapacity: capacity, recovery: .service, keepAbandoned: { _ in false },
            initialize: { ServiceWords($0, shape).initialize() })
        let words: ServiceWords
        do throws(QueueDamage) {
            words = try ServiceWords(checking: segment.mapping)
        } catch {
            throw InterprocessError(
                .damaged, "open", label, "the service is damaged (field '\(error.field)'); remove it and create it anew")
        }
        try Self.compare(words.shape, shape, label)
        self.init(segment, words, requestLength: contents.replyStride == 0 ? nil : contents.request, isServer: isServer)
    }

    private static func shape(_ contents: Contents, _ capacity: Int, _ label: String) throws(InterprocessError) -> ServiceShape {
        func refuse(_ reason: String) -> InterprocessError { InterprocessError(.invalidArgument, "create", label, reason) }
        guard (1...Int(IPC_MAXIMUM_SLOTS)).contains(capacity) else {
            throw refuse("a service has 1 to \(IPC_MAXIMUM_SLOTS) calls in flight, not \(capacity)")
        }
        for (size, what) in [(contents.request, "requests"), (contents.reply, "replies")] {
            guard size >= 0, size < SegmentPlan.maximumSize else {
                throw refuse("\(what) of \(size) bytes are more than the largest possible segment, 1 TiB, or negative; ask for less")
            }
        }
        func window(_ size: Int, _ alignment: Int, _ most: UInt32) -> Int {
            if size <= most, alignment <= mostInlineAlignment { return 0 }
            // Large ones begin with a page each, so that their memory can be had one by one.
            let unit = size >= SegmentPlan.page ? SegmentPlan.page : max(64, alignment)
            return (size + unit - 1) / unit * unit
        }
        let shape = ServiceShape(
            calls: capacity, requestSize: window(contents.request, contents.requestAlignment, IPC_INLINE_REQUEST),
            // Of streamed replies it is a ring, in which a part has 8 bytes before it.
            replySize: max(leastReplyWindow, window(contents.reply + 8, max(64, contents.replyAlignment), 0)),
            replyStride: contents.replyStride)
        guard shape.windowSize <= SegmentPlan.maximumSize / capacity else {
            throw refuse(
                "\(capacity) calls of \(contents.request) and \(contents.reply) bytes are more than the largest possible segment, 1 TiB; ask for less"
            )
        }
        return shape
    }

    /// What is there must do for the opener. Its capacity and its types' names were compared as those of any object.
    private static func compare(_ found: ServiceShape, _ wanted: ServiceShape, _ label: String) throws(InterprocessError) {
        func refuse(_ what: String, _ found: Int, _ wanted: Int) -> InterprocessError {
            InterprocessError(
                .sizeMismatch, "open", label,
                "it was made with \(what) \(found), and this program says \(wanted); say the same in all programs, or choose another name")
        }
        guard found.requestSize >= wanted.requestSize else {
            throw refuse("requests of at most (bytes)", found.requestSize, wanted.requestSize)
        }
        guard found.replySize >= wanted.replySize else { throw refuse("replies of at most (bytes)", found.replySize, wanted.replySize) }
        guard found.replyStride == wanted.replyStride else { throw refuse("replies of (bytes)", found.replyStride, wanted.replyStride) }
    }
}
