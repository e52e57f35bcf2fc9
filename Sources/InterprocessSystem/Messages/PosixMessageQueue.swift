import CInterprocess
public import SystemPackage

/// A POSIX message queue: messages with priorities, under a name in the kernel, until it is removed.
///
///     let jobs = try PosixMessageQueue.openOrCreate("/jobs", options: .init(maximumMessages: 10, messageSize: 128))
///     try jobs.send(job.span, priority: 3)
///
/// The message of the highest priority is received first; of equal ones, that which was sent first.
///
/// **Boundaries** A message is received whole. One longer than the queue's ``Options/messageSize`` cannot be sent; a buffer shorter than that cannot be received
/// into (`EMSGSIZE`), whatever the message's length: it stays.
///
/// **Death** Nothing: messages stay, also when nobody has the queue open, until ``remove(_:)`` or the machine's end.
///
/// The descriptor is closed by `exec`, and can be given to children and sent over a socket, as on Linux alone.
public struct PosixMessageQueue: MessageChannel, ~Copyable {
    /// How much a queue holds: fixed when it is made.
    public struct Options: Sendable, Hashable {
        public var maximumMessages: Int
        /// The most bytes that a message may have.
        public var messageSize: Int
        public init(maximumMessages: Int = 10, messageSize: Int = 8192) {
            (self.maximumMessages, self.messageSize) = (maximumMessages, messageSize)
        }
    }

    /// What the running kernel allows users without privileges; nil without `/proc`.
    public enum Limits {
        public static var maximumMessages: Int? { kernelLimit("fs/mqueue/msg_max") }
        public static var messageSize: Int? { kernelLimit("fs/mqueue/msgsize_max") }
        public static var queues: Int? { kernelLimit("fs/mqueue/queues_max") }
    }

    /// The highest priority; 0 is the lowest.
    public static var highestPriority: UInt32 { 32_767 }

    /// How much the queue holds.
    public let options: Options
    private let owned: OwnedDescriptor

    /// Makes a queue; `EEXIST` if there is one of the name.
    ///
    /// The corresponding C function is `mq_open(O_CREAT|O_EXCL)`.
    ///
    /// - Parameters:
    ///   - name: a slash, and up to 255 bytes without one.
    ///   - permissions: narrowed by the umask.
    /// - Throws: `EEXIST`, `EACCES`, `EINVAL` for a name or options that the kernel does not take, `ENAMETOOLONG`, `ENOENT` for the name `/`, `EMFILE`, `ENFILE`,
    ///   `ENOMEM`, `ENOSPC`.
    public static func create(
        _ name: String, options: Options = Options(), permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self {
        try Self(name, ipc_queue_create | ipc_queue_exclusive, options, permissions)
    }

    /// Opens the queue of the name; `ENOENT` if there is none. The corresponding C function is `mq_open`.
    public static func open(_ name: String) throws(FacilityError) -> Self { try Self(name, 0, Options(), []) }

    /// Opens the queue of the name, or makes it: then with these options. The corresponding C function is `mq_open(O_CREAT)`.
    public static func openOrCreate(
        _ name: String, options: Options = Options(), permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self {
        try Self(name, ipc_queue_create, options, permissions)
    }

    /// Removes the name; who has the queue open goes on. The corresponding C function is `mq_unlink`.
    public static func remove(_ name: String) throws(FacilityError) {
        try Facility.posixMessageQueue.call("mq_unlink", on: name) { unsafe name.withCString { unsafe ipc_queue_remove($0) } }
    }

    /// Takes over a queue that somebody else has opened; nobody else may close it. The corresponding C function is `mq_getattr`.
    ///
    /// - Throws: `EBADF` if that is no queue; it is closed then.
    public init(owning descriptor: FileDescriptor) throws(FacilityError) {
        try self.init(OwnedDescriptor(owning: descriptor))
    }

    private init(_ owned: consuming OwnedDescriptor) throws(FacilityError) {
        let found = try Self.attributes(owned.descriptor)
        options = Options(maximumMessages: found.maximum_messages, messageSize: found.message_size)
        self.owned = owned
    }

    private init(_ name: String, _ flags: CInt, _ options: Options, _ permissions: FilePermissions) throws(FacilityError) {
        let number = try Facility.posixMessageQueue.call("mq_open", on: name) {
            unsafe name.withCString {
                unsafe ipc_queue_open($0, flags, UInt32(permissions.rawValue), options.maximumMessages, options.messageSize)
            }
        }
        try self.init(OwnedDescriptor(owning: number))
    }

    public var facility: Facility { .posixMessageQueue }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// How many messages wait. The corresponding C function is `mq_getattr`.
    public func count() throws(FacilityError) -> Int { try Self.attributes(descriptor).count }

    private static func attributes(_ descriptor: FileDescriptor) throws(FacilityError) -> ipc_queue_attributes {
        var found = ipc_queue_attributes()
        try Facility.posixMessageQueue.call("mq_getattr") { unsafe ipc_queue_get_attributes(descriptor.rawValue, &found) }
        return found
    }

    // MARK: Sending

    /// Sends with priority 0; waits while the queue is full. The corresponding C function is `mq_send`.
    public func send(_ message: Span<UInt8>) throws(FacilityError) { try send(message, priority: 0) }

    /// Sends with priority 0; false if the queue is full.
    public func trySend(_ message: Span<UInt8>) throws(FacilityError) -> Bool { try trySend(message, priority: 0) }

    /// Sends; waits while the queue is full. The corresponding C function is `mq_send`.
    ///
    /// - Throws: `EMSGSIZE` for a message longer than the queue's.
    public func send(_ message: Span<UInt8>, priority: UInt32) throws(FacilityError) {
        while try put(message, priority, waiting: true) == nil { try waitUntilReady(for: .writing, until: nil) }
    }

    /// Sends; false if the queue is full. The corresponding C function is `mq_timedsend` with a time that has passed.
    public func trySend(_ message: Span<UInt8>, priority: UInt32) throws(FacilityError) -> Bool {
        try put(message, priority, waiting: false) != nil
    }

    private func put(_ message: Span<UInt8>, _ priority: UInt32, waiting: Bool) throws(FacilityError) -> Int? {
        try unsafe message.withUnsafeBytes { (message) throws(FacilityError) in
            try now("mq_send") {
                unsafe ipc_queue_send(descriptor.rawValue, message.baseAddress, message.count, priority, waiting ? 1 : 0)
            }
        }
    }

    // MARK: Receiving

    /// Receives the message that is first; waits for one. The corresponding C function is `mq_receive`.
    public func receive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        try receiveWithPriority(into: &buffer).byteCount
    }

    /// Receives the message that is first; nil if there is none.
    public func tryReceive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try tryReceiveWithPriority(into: &buffer)?.byteCount
    }

    /// Receives the message that is first, and its priority; waits for one. The corresponding C function is `mq_receive`.
    ///
    /// - Throws: `EMSGSIZE` if the buffer is smaller than the queue's ``Options/messageSize``.
    public func receiveWithPriority(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> (byteCount: Int, priority: UInt32) {
        while true {
            // Somebody else may have made it non-blocking (O_NONBLOCK).
            if let found = try take(into: &buffer, waiting: true) { return found }
            try waitUntilReady(for: .reading, until: nil)
        }
    }

    /// Receives the message that is first, and its priority; nil if there is none. The corresponding C function is `mq_timedreceive` with a time that has passed.
    public func tryReceiveWithPriority(
        into buffer: inout MutableSpan<UInt8>
    ) throws(FacilityError) -> (byteCount: Int, priority: UInt32)? { try take(into: &buffer, waiting: false) }

    private func take(into buffer: inout MutableSpan<UInt8>, waiting: Bool) throws(FacilityError) -> (byteCount: Int, priority: UInt32)? {
        var priority: UInt32 = 0
        let count = try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try now("mq_receive") {
                unsafe ipc_queue_receive(descriptor.rawValue, buffer.baseAddress, buffer.count, &priority, waiting ? 1 : 0)
            }
        }
        return count.map { ($0, priority) }
    }

    /// A call that has no time: nil if it would have to wait.
    private func now(_ name: SystemCallName, _ body: () -> Int) throws(FacilityError) -> Int? {
        do throws(FacilityError) {
            return try facility.call(name, body)
        } catch let error where error.isDeadline || error.errno == .resourceTemporarilyUnavailable {
            return nil
        }
    }

    // MARK: Notification

    /// Lets the kernel send this process `signal` once, when a message comes into the queue, which was empty, and nobody waits for it. One process at a time
    /// may ask (`EBUSY`). To wait for messages by descriptor, take ``DescriptorFacility/waitUntilReady(for:until:)-(_,MonotonicInstant?)``.
    ///
    /// The corresponding C function is `mq_notify(SIGEV_SIGNAL)`.
    public func notify(by signal: Int32) throws(FacilityError) {
        try facility.call("mq_notify") { ipc_queue_notify(descriptor.rawValue, signal) }
    }

    /// Takes ``notify(by:)`` back. The corresponding C function is `mq_notify(NULL)`.
    public func cancelNotification() throws(FacilityError) {
        try facility.call("mq_notify") { ipc_queue_cancel_notify(descriptor.rawValue) }
    }
}

extension Facility {
    public static let posixMessageQueue = Facility("POSIX message queue") { operation, error in
        switch (operation, error) {
        case ("mq_open", .invalidArgument):
            "a name is a slash and more without one; and a queue holds at most what PosixMessageQueue.Limits say: raise fs.mqueue.msg_max or msgsize_max"
        case ("mq_open", .permissionDenied):
            "a name has one slash, at its beginning; or the queue is another's: ask its owner for permission"
        case ("mq_open", .tooManyOpenFiles): "close some, or raise the limits of files (ulimit -n) or of bytes in queues (ulimit -q)"
        case ("mq_open", .noSpace): "remove queues that nobody uses (/dev/mqueue), or raise fs.mqueue.queues_max"
        case ("mq_send", .messageTooLong): "send at most the queue's messageSize, or make the queue anew with a larger one"
        case ("mq_receive", .messageTooLong): "the buffer must have room for the queue's messageSize"
        case ("mq_send", .invalidArgument): "a priority is at most PosixMessageQueue.highestPriority"
        case ("mq_notify", .resourceBusy): "another process has asked to be told; wait for the descriptor instead"
        default: nil
        }
    }
}
