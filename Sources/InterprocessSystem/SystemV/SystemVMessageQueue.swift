import CInterprocess
public import SystemPackage

/// A System V message queue: messages with types, which the receiver chooses by, under a number in the kernel, until it is removed.
///
///     let jobs = try SystemVMessageQueue.openOrCreate(SystemVKey(of: "/etc/hostname", project: 7))
///     try jobs.send(request.span, type: 1)
///     let (count, from) = try jobs.receive(into: &span, .only(42))
///
/// **Boundaries** A message is received whole. One longer than ``Limits/messageSize`` cannot be sent (`EINVAL`); one longer than the buffer cannot be received
/// (`E2BIG`): it stays. A message may be empty.
///
/// **Blocking** Sending waits while the queue is full, receiving while nothing of the type is there. The kernel has no deadline and no descriptor for either: ``PosixMessageQueue`` has.
///
/// **Death** Nothing: messages stay, also when no process knows of the queue, until ``remove()`` or the machine's end. Who waits when the queue is removed gets `EIDRM`.
///
/// The value is the kernel's number, and owns nothing: a copy means the same queue. Numbers of removed queues come back, some thousand queues later.
public struct SystemVMessageQueue: Sendable, Hashable {
    /// The kernel's number of the queue, the same in all processes.
    public let identifier: Int32

    /// The queue of a number that was found or received. Nothing is looked up.
    public init(identifier: Int32) { self.identifier = identifier }

    /// What the running kernel allows; nil without `/proc`.
    public enum Limits {
        /// The most bytes that a message may have.
        public static var messageSize: Int? { kernelLimit("kernel/msgmax") }
        /// The capacity of a new queue, and the most that a user without privileges may give one.
        public static var capacity: Int? { kernelLimit("kernel/msgmnb") }
        public static var queues: Int? { kernelLimit("kernel/msgmni") }
    }

    // MARK: Names

    /// Makes a queue; `EEXIST` if there is one of the key, but for `.private`, which always makes one.
    ///
    /// The corresponding C function is `msgget(IPC_CREAT|IPC_EXCL)`.
    ///
    /// - Parameter permissions: reading is receiving, writing is sending. The umask does not narrow them.
    /// - Throws: `EEXIST`, `ENOMEM`, `ENOSPC`.
    public static func create(_ key: SystemVKey, permissions: FilePermissions = .ownerReadWrite) throws(FacilityError) -> Self {
        try get(key, .create, permissions)
    }

    /// Opens the queue of the key; `ENOENT` if there is none. The corresponding C function is `msgget`.
    public static func open(_ key: SystemVKey) throws(FacilityError) -> Self { try get(key, .open, []) }

    /// Opens the queue of the key, or makes it. The corresponding C function is `msgget(IPC_CREAT)`.
    public static func openOrCreate(_ key: SystemVKey, permissions: FilePermissions = .ownerReadWrite) throws(FacilityError) -> Self {
        try get(key, .openOrCreate, permissions)
    }

    /// Removes the queue with all that it holds; who waits for it gets `EIDRM`. The corresponding C function is `msgctl(IPC_RMID)`.
    ///
    /// - Throws: `EPERM` unless this user owns it or has made it; `EINVAL`, `EIDRM` if it has been removed.
    public func remove() throws(FacilityError) { try call("msgctl(IPC_RMID)") { ipc_sysv_queue_remove(identifier) } }

    private static func get(_ key: SystemVKey, _ opening: SystemVOpening, _ permissions: FilePermissions) throws(FacilityError) -> Self {
        let identifier = try Facility.systemVMessageQueue.call("msgget", on: key.description) {
            ipc_sysv_queue_get(key.rawValue, opening.flags(permissions))
        }
        return Self(identifier: Int32(identifier))
    }

    // MARK: Sending

    /// Sends; waits while the queue is full. The corresponding C function is `msgsnd`.
    ///
    /// The type stands before the message in the kernel's call, so the message is copied once more: on the stack, or for a long one in the heap.
    ///
    /// - Parameter type: at least 1.
    /// - Throws: `EINVAL` for a message longer than ``Limits/messageSize`` or a type below 1; `EACCES`, `EIDRM`, `ENOMEM`.
    public func send(_ message: Span<UInt8>, type: Int) throws(FacilityError) { _ = try put(message, type, waiting: true) }

    /// Sends; false if the queue is full. The corresponding C function is `msgsnd(IPC_NOWAIT)`.
    public func trySend(_ message: Span<UInt8>, type: Int) throws(FacilityError) -> Bool { try put(message, type, waiting: false) }

    private func put(_ message: Span<UInt8>, _ type: Int, waiting: Bool) throws(FacilityError) -> Bool {
        try unsafe message.withUnsafeBytes { (message) throws(FacilityError) in
            try unsafe Self.withRecord(message.count) { (record) throws(FacilityError) in
                unsafe record.storeBytes(of: type, as: Int.self)
                if let source = message.baseAddress {
                    unsafe (record.baseAddress! + Self.head).copyMemory(from: source, byteCount: message.count)
                }
                return try Facility.systemVMessageQueue.tryCall("msgsnd", on: object) {
                    unsafe ipc_sysv_queue_send(identifier, record.baseAddress, message.count, waiting ? 0 : 1)
                } != nil
            }
        }
    }

    // MARK: Receiving

    /// Which message is wanted; of several, that which was sent first.
    public enum Selection: Sendable, Hashable {
        case any
        /// Of this type.
        case only(Int)
        /// Of the lowest type that is there, at most this one: types as priorities.
        case upTo(Int)
        /// Of any type but this.
        case except(Int)

        fileprivate var number: Int {
            switch self {
            case .any: 0
            case .only(let type), .except(let type): type
            case .upTo(let type): 0 &- type
            }
        }
        fileprivate var isExcept: Bool { if case .except = self { true } else { false } }
        /// The kernel takes a number below 1 for another selection.
        fileprivate var isPossible: Bool {
            switch self {
            case .any: true
            case .only(let type), .upTo(let type), .except(let type): type >= 1
            }
        }
    }

    /// Receives a message; waits for one. The corresponding C function is `msgrcv`.
    ///
    /// - Throws: `E2BIG` if the message is longer than the buffer: it stays. `EINVAL` for a type below 1; `EACCES`, `EIDRM`.
    public func receive(into buffer: inout MutableSpan<UInt8>, _ selection: Selection = .any) throws(FacilityError) -> (
        byteCount: Int, type: Int
    ) {
        guard let found = try take(into: &buffer, selection, waiting: true) else {
            // Only a kernel that does not know the call to wait says so.
            throw FacilityError(.systemVMessageQueue, "msgrcv", .noMessage, object: object)
        }
        return found
    }

    /// Receives a message; nil if there is none. The corresponding C function is `msgrcv(IPC_NOWAIT)`.
    public func tryReceive(
        into buffer: inout MutableSpan<UInt8>, _ selection: Selection = .any
    ) throws(FacilityError) -> (byteCount: Int, type: Int)? { try take(into: &buffer, selection, waiting: false) }

    private func take(
        into buffer: inout MutableSpan<UInt8>, _ selection: Selection, waiting: Bool
    ) throws(FacilityError) -> (byteCount: Int, type: Int)? {
        guard selection.isPossible else { throw FacilityError(.systemVMessageQueue, "msgrcv", .invalidArgument, object: object) }
        return try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try unsafe Self.withRecord(buffer.count) { (record) throws(FacilityError) in
                let count: Int
                do throws(FacilityError) {
                    count = try call("msgrcv") {
                        unsafe ipc_sysv_queue_receive(
                            identifier, record.baseAddress, buffer.count, selection.number, waiting ? 0 : 1, selection.isExcept ? 1 : 0)
                    }
                } catch let error where error.errno == .noMessage && !waiting {
                    return nil
                }
                if let target = buffer.baseAddress {
                    unsafe target.copyMemory(from: record.baseAddress! + Self.head, byteCount: count)
                }
                return (count, unsafe record.load(as: Int.self))
            }
        }
    }

    /// Bytes of the type.
    private static var head: Int { MemoryLayout<Int>.size }

    private static func withRecord<R>(
        _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(FacilityError) -> R
    ) throws(FacilityError) -> R {
        // The function rethrows untyped errors.
        let result: Result<R, FacilityError> = unsafe withUnsafeTemporaryAllocation(byteCount: head + count, alignment: head) { record in
            do throws(FacilityError) {
                return .success(try unsafe body(record))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    // MARK: What is known of it

    /// What the kernel says of a queue.
    public struct Status: Sendable, Hashable {
        public let access: SystemVAccess
        /// How many wait.
        public let messages: Int
        /// Their bytes together.
        public let bytes: Int
        /// The most bytes that may wait.
        public let capacity: Int
        /// The process that has sent last; 0: none yet.
        public let lastSender: Int32
        /// The process that has received last; 0: none yet.
        public let lastReceiver: Int32
    }

    /// The corresponding C function is `msgctl(IPC_STAT)`.
    public func status() throws(FacilityError) -> Status {
        var found = ipc_sysv_queue_status()
        try call("msgctl(IPC_STAT)") { unsafe ipc_sysv_queue_get_status(identifier, &found) }
        return Status(
            access: SystemVAccess(found.access), messages: Int(found.messages), bytes: Int(found.bytes), capacity: Int(found.capacity),
            lastSender: found.last_sender, lastReceiver: found.last_receiver)
    }

    /// Gives the queue room for so many bytes. The corresponding C functions are `msgctl(IPC_STAT)` and `msgctl(IPC_SET)`.
    ///
    /// - Throws: `EPERM` above ``Limits/capacity`` without privileges, or of another's queue; `EINVAL` below 0.
    public func setCapacity(_ bytes: Int) throws(FacilityError) {
        guard bytes >= 0 else { throw FacilityError(.systemVMessageQueue, "msgctl(IPC_SET)", .invalidArgument, object: object) }
        var found = ipc_sysv_queue_status()
        try call("msgctl(IPC_STAT)") { unsafe ipc_sysv_queue_get_status(identifier, &found) }
        try call("msgctl(IPC_SET)") { ipc_sysv_queue_set(identifier, found.access, UInt(bytes)) }
    }

    private var object: String { "queue \(identifier)" }

    @discardableResult
    private func call(_ name: SystemCallName, _ body: () -> Int) throws(FacilityError) -> Int {
        try Facility.systemVMessageQueue.call(name, on: object, body)
    }
}

extension Facility {
    public static let systemVMessageQueue = Facility("System V message queue") { operation, error in
        switch (operation, error) {
        case ("msgget", .noSpace):
            "the machine has all the queues that it may; remove some that nobody uses (ipcs -q, ipcrm), or raise kernel.msgmni"
        case ("msgsnd", .invalidArgument):
            "a type is at least 1, and a message at most SystemVMessageQueue.Limits.messageSize bytes long (kernel.msgmax); or there is no such queue any more"
        case ("msgrcv", .invalidArgument): "a type is at least 1; or there is no such queue any more"
        case ("msgrcv", .argListTooLong): "the message is longer than the buffer, and stays; receive it into a larger one"
        case (_, .invalidArgument): "there is no such queue any more; open it by its key again"
        case (_, .identifierRemoved): "somebody has removed the queue; open it by its key again, or end"
        case ("msgctl(IPC_SET)", .notPermitted):
            "only its owner changes it, and above SystemVMessageQueue.Limits.capacity (kernel.msgmnb) only who has CAP_SYS_RESOURCE"
        case ("msgctl(IPC_RMID)", .notPermitted): "only its owner and its creator may remove it"
        default: nil
        }
    }
}
