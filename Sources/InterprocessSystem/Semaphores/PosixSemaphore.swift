import CInterprocess
import Glibc
public import SystemPackage

/// A POSIX semaphore: a number of units that are taken and given, under a name of the machine, or at a place in memory that processes share.
///
///     let slots = try PosixSemaphore.openOrCreate("/slots", value: 4)
///     try slots.wait()
///     try slots.signal()
///
/// **Boundaries** 0 to ``Limits/value`` units, one at a time.
///
/// **Blocking** Taking waits while there is none. It is a futex in shared memory and has no descriptor: so there is no asynchronous form, and nothing to poll. The first to wait need not be the first to get one.
///
/// **Death** Of a process: what it has taken is gone, and nobody is told: ``SystemVSemaphoreSet`` undoes that, and the library's `SharedPermits` gives it back. The units stay, under the name until ``remove(_:)`` or the machine's end.
///
/// The C library has its own layout of it: all who share one are programs of the same machine and word size.
@safe
public struct PosixSemaphore: ~Copyable, @unchecked Sendable {
    public enum Limits {
        /// The most units: `SEM_VALUE_MAX`.
        public static var value: Int { Int(Int32.max) }
    }

    private let semaphore: UnsafeMutableRawPointer
    /// Empty: it stands in memory that is the caller's.
    private let name: String

    // MARK: Names

    /// Makes a semaphore; `EEXIST` if there is one of the name.
    ///
    /// The corresponding C function is `sem_open(O_CREAT|O_EXCL)`.
    ///
    /// - Parameters:
    ///   - name: a slash, and up to 251 bytes without one.
    ///   - permissions: to use it takes reading and writing. Narrowed by the umask.
    /// - Throws: `EEXIST`, `EACCES`, `EINVAL` for more than ``Limits/value`` or a name that is none, `ENAMETOOLONG`, `EMFILE`, `ENFILE`, `ENOMEM`, `ENOSPC`.
    public static func create(
        _ name: String, value: Int = 0, permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self { try Self(name, O_CREAT | O_EXCL, value, permissions) }

    /// Opens the semaphore of the name; `ENOENT` if there is none. The corresponding C function is `sem_open`.
    public static func open(_ name: String) throws(FacilityError) -> Self { try Self(name, 0, 0, []) }

    /// Opens the semaphore of the name, or makes it: then with this value. The corresponding C function is `sem_open(O_CREAT)`.
    public static func openOrCreate(
        _ name: String, value: Int = 0, permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self { try Self(name, O_CREAT, value, permissions) }

    /// Removes the name; who has the semaphore open goes on. The corresponding C function is `sem_unlink`.
    public static func remove(_ name: String) throws(FacilityError) {
        try Facility.posixSemaphore.call("sem_unlink", on: name) { unsafe name.withCString { unsafe ipc_semaphore_remove($0) } }
    }

    private init(_ name: String, _ flags: CInt, _ value: Int, _ permissions: FilePermissions) throws(FacilityError) {
        var found: UnsafeMutableRawPointer?
        // More than a semaphore has is refused, and so is what would not even fit into the call.
        let value = UInt32(exactly: value) ?? .max
        try Facility.posixSemaphore.call("sem_open", on: name) {
            unsafe name.withCString { unsafe ipc_semaphore_open($0, flags, permissions.rawValue, value, &found) }
        }
        unsafe semaphore = found!
        self.name = name
    }

    // MARK: Places

    /// Bytes of a semaphore in memory.
    public static var byteCount: Int { ipc_semaphore_size }
    public static var alignment: Int { ipc_semaphore_alignment }

    /// Makes a semaphore at `place`, once, before anybody uses it there.
    ///
    /// The corresponding C function is `sem_init` with `pshared`.
    ///
    /// - Parameter place: ``byteCount`` bytes, aligned, of memory that the processes share; they stay mapped for as long as the value lives.
    /// - Throws: `EINVAL` for more than ``Limits/value``.
    @unsafe
    public static func create(at place: UnsafeMutableRawPointer, value: Int = 0) throws(FacilityError) -> Self {
        let semaphore = unsafe open(at: place)
        try semaphore.call("sem_init") { unsafe ipc_semaphore_place(place, UInt32(exactly: value) ?? .max) }
        return semaphore
    }

    /// The semaphore that somebody has made at `place`. Nothing is looked at.
    @unsafe
    public static func open(at place: UnsafeMutableRawPointer) -> Self { unsafe Self(at: place) }

    private init(at place: UnsafeMutableRawPointer) {
        precondition(UInt(bitPattern: place) % UInt(Self.alignment) == 0, "PosixSemaphore: the place is not aligned")
        (unsafe semaphore, name) = unsafe (place, "")
    }

    /// Ends the semaphore at `place`, for which nobody waits any more: its memory can be used for something else. The corresponding C function is `sem_destroy`.
    @unsafe
    public static func remove(at place: UnsafeMutableRawPointer) throws(FacilityError) {
        try Facility.posixSemaphore.call("sem_destroy") { unsafe ipc_semaphore_displace(place) }
    }

    // The corresponding C function is `sem_close`.
    deinit { if !name.isEmpty { unsafe _ = ipc_semaphore_close(semaphore) } }

    // MARK: Units

    /// Takes a unit; waits while there is none. The corresponding C function is `sem_wait`.
    public func wait() throws(FacilityError) { try call("sem_wait") { unsafe ipc_semaphore_wait(semaphore) } }

    /// Takes a unit; false if there is none. The corresponding C function is `sem_trywait`.
    public func tryWait() throws(FacilityError) -> Bool {
        try Facility.posixSemaphore.tryCall("sem_trywait", on: name) { unsafe ipc_semaphore_try(semaphore) } != nil
    }

    /// Takes a unit; waits while there is none, until `deadline`. The corresponding C function is `sem_clockwait(CLOCK_MONOTONIC)`, of the C library 2.30.
    ///
    /// - Throws: ``FacilityError/isDeadline``.
    public func wait(until deadline: MonotonicInstant) throws(FacilityError) {
        var time = deadline.timespec
        try call("sem_clockwait") { unsafe ipc_semaphore_wait_until(semaphore, &time) }
    }

    /// Gives a unit, and wakes one who waits. The corresponding C function is `sem_post`.
    ///
    /// - Throws: `EOVERFLOW` above ``Limits/value``.
    public func signal() throws(FacilityError) { try call("sem_post") { unsafe ipc_semaphore_post(semaphore) } }

    /// How many units there are now; 0 also while somebody waits. The corresponding C function is `sem_getvalue`.
    public func value() throws(FacilityError) -> Int {
        var value: CInt = 0
        try call("sem_getvalue") { unsafe ipc_semaphore_value(semaphore, &value) }
        return Int(value)
    }

    private func call(_ operation: SystemCallName, _ body: () -> Int) throws(FacilityError) {
        try Facility.posixSemaphore.call(operation, on: name, body)
    }
}

extension Facility {
    public static let posixSemaphore = Facility("POSIX semaphore") { operation, error in
        switch (operation, error) {
        case ("sem_open", .invalidArgument):
            "a name is a slash, and up to 251 bytes without one, and what it names a semaphore; it has at most PosixSemaphore.Limits.value units"
        case ("sem_init", .invalidArgument): "a semaphore has at most PosixSemaphore.Limits.value units"
        case ("sem_open", .noSpace): "/dev/shm is full; remove what is not needed there, or make it larger (in a container --shm-size)"
        case ("sem_post", .overflow): "a semaphore has at most PosixSemaphore.Limits.value units; find out who gives without taking"
        case (_, .invalidArgument): "there is no semaphore here, or none any more; make it first"
        default: nil
        }
    }
}
