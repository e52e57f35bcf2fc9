import CInterprocess
import Glibc
public import SystemPackage

/// A System V set of semaphores: operations on several at once, which happen together or not at all, and which the kernel undoes when their process ends.
///
///     let set = try SystemVSemaphoreSet.openOrCreate(SystemVKey(of: "/etc/hostname", project: 1), count: 2)
///     try set.operate([.take(1, from: 0, undo: true), .add(1, to: 1)])
///
/// **Blocking** An operation waits until all of it is possible. Nobody is passed over for ever, but a small operation may pass a large one.
///
/// **Death** Of a process: what it has done with `undo` is undone, as far as the values allow: no value goes below 0. What it has done without stays. It is not undone by
/// `fork` in the child, nor by `exec`, after which it still counts. Nobody is told.
///
/// The set stays until ``remove()`` or the machine's end; who waits then gets `EIDRM`. The value is the kernel's number, and owns nothing: a copy means the same set.
public struct SystemVSemaphoreSet: Sendable, Hashable {
    /// The kernel's number of the set, the same in all processes.
    public let identifier: Int32
    /// How many semaphores it has.
    public let count: Int

    /// What the running kernel allows, from `/proc/sys/kernel/sem`; nil without it.
    public enum Limits {
        public static var semaphoresPerSet: Int? { number(0) }
        public static var semaphores: Int? { number(1) }
        public static var operationsAtOnce: Int? { number(2) }
        public static var sets: Int? { number(3) }
        /// The most that a semaphore may be.
        public static var value: Int { 32_767 }

        private static func number(_ index: Int) -> Int? {
            guard let text = readSmallFile("/proc/sys/kernel/sem") else { return nil }
            let parts = text.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            return parts.count > index ? Int(String(decoding: parts[index], as: UTF8.self)) : nil
        }
    }

    // MARK: Names

    /// Makes a set of `count` semaphores that are 0; `EEXIST` if there is one of the key, but for `.private`, which always makes one.
    ///
    /// The corresponding C function is `semget(IPC_CREAT|IPC_EXCL)`.
    ///
    /// - Parameter permissions: reading is looking at values and waiting for zero, writing is changing. The umask does not narrow them.
    /// - Throws: `EEXIST`, `EINVAL` for more than ``Limits/semaphoresPerSet`` or none, `ENOMEM`, `ENOSPC`.
    public static func create(_ key: SystemVKey, count: Int, permissions: FilePermissions = .ownerReadWrite) throws(FacilityError) -> Self {
        try get(key, count, .create, permissions)
    }

    /// Opens the set of the key; `ENOENT` if there is none. The corresponding C function is `semget`.
    public static func open(_ key: SystemVKey) throws(FacilityError) -> Self { try get(key, 0, .open, []) }

    /// Opens the set of the key, or makes it, with semaphores that are 0. Whoever wants other values to begin with has them set by the one for whom `create` succeeds.
    ///
    /// The corresponding C function is `semget(IPC_CREAT)`.
    ///
    /// - Throws: `EINVAL` also if there is one of fewer semaphores.
    public static func openOrCreate(
        _ key: SystemVKey, count: Int, permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self { try get(key, count, .openOrCreate, permissions) }

    /// The set of a number that was found or received. The corresponding C function is `semctl(IPC_STAT)`.
    public init(identifier: Int32) throws(FacilityError) {
        self.identifier = identifier
        count = Int(try Self.read(identifier).count)
    }

    /// Removes the set; who waits gets `EIDRM`. The corresponding C function is `semctl(IPC_RMID)`.
    ///
    /// - Throws: `EPERM` unless this user owns it or has made it; `EINVAL`, `EIDRM` if it has been removed.
    public func remove() throws(FacilityError) { try call("semctl(IPC_RMID)") { ipc_sysv_semaphores_remove(identifier) } }

    private static func get(
        _ key: SystemVKey, _ count: Int, _ opening: SystemVOpening, _ permissions: FilePermissions
    ) throws(FacilityError) -> Self {
        let identifier = try Facility.systemVSemaphoreSet.call("semget", on: key.description) {
            ipc_sysv_semaphores_get(key.rawValue, CInt(clamping: count), opening.flags(permissions))
        }
        do throws(FacilityError) {
            return try Self(identifier: Int32(identifier))
        } catch let error where opening != .open && error.errno == .permissionDenied {
            // Who may only change it may not look how many there are.
            return Self(Int32(identifier), count)
        }
    }

    private init(_ identifier: Int32, _ count: Int) { (self.identifier, self.count) = (identifier, count) }

    // MARK: Operations

    /// One part of an operation.
    public struct Part: Sendable, Hashable {
        private let index: Int
        /// 0: waits for zero.
        private let change: Int
        private let undo: Bool
        /// To the kernel, a change by 0 is another operation, and one by a negative number the opposite.
        fileprivate let isPossible: Bool

        /// Adds `units`, at least 1; never waits.
        public static func add(_ units: Int, to index: Int, undo: Bool = false) -> Part {
            Part(index: index, change: units, undo: undo, isPossible: units >= 1)
        }
        /// Takes `units`, at least 1; waits until there are as many.
        public static func take(_ units: Int, from index: Int, undo: Bool = false) -> Part {
            Part(index: index, change: 0 &- units, undo: undo, isPossible: units >= 1)
        }
        /// Waits until the semaphore is 0.
        public static func waitForZero(_ index: Int) -> Part { Part(index: index, change: 0, undo: false, isPossible: true) }

        /// Whether a semaphore can change by so much.
        fileprivate var fits: Bool { abs(change) <= Limits.value }

        /// An index that does not fit is refused by the kernel: `EFBIG`.
        fileprivate var raw: ipc_sysv_operation {
            ipc_sysv_operation(
                index: UInt16(exactly: index) ?? .max, change: Int16(clamping: change),
                flags: undo ? Int16(truncatingIfNeeded: ipc_sysv_undo) : 0)
        }
    }

    /// Does all of `parts` at once; waits until that is possible. The corresponding C function is `semop`.
    ///
    /// - Throws: `EFBIG` for an index that there is not, `ERANGE` for a value above ``Limits/value``, `E2BIG` for more than ``Limits/operationsAtOnce``; `EACCES`, `EINVAL`, `EIDRM`,
    ///   `ENOSPC` where the kernel has no room for what is to be undone.
    public func operate(_ parts: [Part]) throws(FacilityError) { try run(parts, nil) }

    /// The same; waits at most until `deadline`. The corresponding C function is `semtimedop`.
    public func operate(_ parts: [Part], until deadline: MonotonicInstant) throws(FacilityError) {
        do throws(FacilityError) {
            try run(parts, deadline)
        } catch let error where error.errno == .resourceTemporarilyUnavailable {
            throw FacilityError(.systemVSemaphoreSet, "semtimedop", .deadline, object: object)
        }
    }

    /// Does all of `parts` at once if that is possible now; else nothing, and false. The corresponding C function is `semtimedop` with no time.
    public func tryOperate(_ parts: [Part]) throws(FacilityError) -> Bool {
        do throws(FacilityError) {
            try run(parts, .now)
            return true
        } catch let error where error.errno == .resourceTemporarilyUnavailable {
            return false
        }
    }

    private func run(_ parts: [Part], _ deadline: MonotonicInstant?) throws(FacilityError) {
        let name: SystemCallName = deadline == nil ? "semop" : "semtimedop"
        guard parts.allSatisfy(\.isPossible) else { throw FacilityError(.systemVSemaphoreSet, name, .invalidArgument, object: object) }
        guard parts.allSatisfy(\.fits) else { throw FacilityError(.systemVSemaphoreSet, name, .outOfRange, object: object) }
        try call(name) {
            unsafe withUnsafeTemporaryAllocation(of: ipc_sysv_operation.self, capacity: parts.count) { raw in
                for index in parts.indices { unsafe raw.initializeElement(at: index, to: parts[index].raw) }
                guard let deadline else { return unsafe ipc_sysv_semaphores_operate(identifier, raw.baseAddress, parts.count, nil) }
                // Anew after each signal.
                var time = MonotonicInstant(nanoseconds: deadline.nanoseconds(since: .now)).timespec
                return unsafe ipc_sysv_semaphores_operate(identifier, raw.baseAddress, parts.count, &time)
            }
        }
    }

    // MARK: Values

    /// All values at one moment. The corresponding C function is `semctl(GETALL)`.
    public func values() throws(FacilityError) -> [Int] {
        var found = [UInt16](repeating: 0, count: count)
        try call("semctl(GETALL)") { unsafe ipc_sysv_semaphores_values(identifier, &found) }
        return found.map(Int.init)
    }

    /// Sets all values; what processes were to undo is forgotten. The corresponding C function is `semctl(SETALL)`.
    ///
    /// - Parameter values: as many as there are semaphores.
    /// - Throws: `EINVAL` if they are not as many; `ERANGE` for one below 0 or above ``Limits/value``.
    public func setValues(_ values: [Int]) throws(FacilityError) {
        guard values.count == count else { throw FacilityError(.systemVSemaphoreSet, "semctl(SETALL)", .invalidArgument, object: object) }
        let raw = values.map { UInt16(exactly: $0) ?? .max }
        try call("semctl(SETALL)") { unsafe ipc_sysv_semaphores_set_values(identifier, raw) }
    }

    /// Sets one value; what processes were to undo of it is forgotten. The corresponding C function is `semctl(SETVAL)`.
    public func setValue(_ value: Int, of index: Int) throws(FacilityError) {
        try call("semctl(SETVAL)") { ipc_sysv_semaphores_set_value(identifier, CInt(clamping: index), CInt(clamping: value)) }
    }

    /// What the kernel says of one semaphore.
    public struct Waiting: Sendable, Hashable {
        /// How many calls wait to take from it.
        public let takers: Int
        /// How many wait until it is 0.
        public let forZero: Int
        /// The process that has changed it last; 0: none yet.
        public let lastProcess: Int32
    }

    /// Who waits for a semaphore. The corresponding C functions are `semctl(GETNCNT)`, `semctl(GETZCNT)`, `semctl(GETPID)`.
    public func waiting(for index: Int) throws(FacilityError) -> Waiting {
        let index = CInt(clamping: index)
        return Waiting(
            takers: try call("semctl(GETNCNT)") { ipc_sysv_semaphores_waiting(identifier, index) },
            forZero: try call("semctl(GETZCNT)") { ipc_sysv_semaphores_waiting_for_zero(identifier, index) },
            lastProcess: Int32(try call("semctl(GETPID)") { ipc_sysv_semaphores_last_process(identifier, index) }))
    }

    /// Whether anybody has operated on the set since it was made: how a second process knows that the first one has given it its values by an operation.
    ///
    /// The corresponding C function is `semctl(IPC_STAT)`, `sem_otime`.
    public func hasBeenUsed() throws(FacilityError) -> Bool { try Self.read(identifier).last_operation != 0 }

    public func access() throws(FacilityError) -> SystemVAccess { SystemVAccess(try Self.read(identifier).access) }

    private static func read(_ identifier: Int32) throws(FacilityError) -> ipc_sysv_semaphores_status {
        var found = ipc_sysv_semaphores_status()
        try Facility.systemVSemaphoreSet.call("semctl(IPC_STAT)", on: "set \(identifier)") {
            unsafe ipc_sysv_semaphores_get_status(identifier, &found)
        }
        return found
    }

    private var object: String { "set \(identifier)" }

    @discardableResult
    private func call(_ name: SystemCallName, _ body: () -> Int) throws(FacilityError) -> Int {
        try Facility.systemVSemaphoreSet.call(name, on: object, body)
    }
}

extension Facility {
    public static let systemVSemaphoreSet = Facility("System V semaphores") { operation, error in
        switch (operation, error) {
        case ("semget", .invalidArgument):
            "a set has 1 to SystemVSemaphoreSet.Limits.semaphoresPerSet semaphores (kernel.sem), and as many as it was made with"
        case ("semget", .noSpace):
            "the machine has all the sets or semaphores that it may; remove some that nobody uses (ipcs -s, ipcrm), or raise kernel.sem"
        case ("semop", .noSpace), ("semtimedop", .noSpace):
            "the kernel keeps no more that is to be undone; operate without undo, or raise kernel.sem"
        case (_, .fileTooLarge): "the set has no such semaphore: count them from 0"
        case (_, .outOfRange): "a semaphore is 0 to SystemVSemaphoreSet.Limits.value"
        case (_, .argListTooLong): "one operation has at most SystemVSemaphoreSet.Limits.operationsAtOnce parts (kernel.sem)"
        case ("semop", .invalidArgument), ("semtimedop", .invalidArgument):
            "an operation has parts, and each adds or takes at least 1; or there is no such set any more"
        case ("semctl(SETALL)", .invalidArgument): "there must be one value for each semaphore; or there is no such set any more"
        case (_, .invalidArgument): "there is no such set any more, or no such semaphore in it; open it by its key again, and count from 0"
        case (_, .identifierRemoved): "somebody has removed the set; open it by its key again, or end"
        case ("semctl(IPC_RMID)", .notPermitted): "only its owner and its creator may remove it"
        default: nil
        }
    }
}
