import CInterprocess
import Glibc
public import SystemPackage

/// A counter in the kernel, with a descriptor that is readable while it is not 0: an event that `poll` and `epoll` can wait for, given to children or sent over a socket.
///
///     let isDone = try EventCounter()
///     try isDone.add(1)               // in one process
///     let count = try isDone.take()   // in another
///
/// **Boundaries** The counter holds at most ``most``; adding more waits. A number larger than that is an error (`EINVAL`).
///
/// **Death** Nothing: the count stays for as long as anybody has the descriptor, and nobody is told.
public struct EventCounter: CountReading, ~Copyable {
    /// What taking gets.
    public enum Mode: Sendable, Hashable {
        /// The whole count; 0 is left.
        case all
        /// 1, as from a semaphore.
        case one
    }

    private let owned: OwnedDescriptor

    /// Makes a counter. The corresponding C function is `eventfd(EFD_CLOEXEC)`, with `EFD_SEMAPHORE` for `.one`.
    ///
    /// - Throws: `EMFILE`, `ENFILE`, `ENODEV`, `ENOMEM`.
    public init(_ initial: UInt32 = 0, taking mode: Mode = .all) throws(FacilityError) {
        owned = OwnedDescriptor(owning: try Facility.eventCounter.call("eventfd") { ipc_eventfd(initial, mode == .one ? 1 : 0) })
    }

    /// Takes over the descriptor of a counter that somebody else has made; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var facility: Facility { .eventCounter }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The most that the counter holds.
    public static var most: UInt64 { .max - 1 }

    /// Adds to the count; waits while that would be more than ``most``. The corresponding C function is `write`.
    public func add(_ count: UInt64) throws(FacilityError) {
        var count = count
        try facility.call("write") { unsafe resultOrErrno(write(descriptor.rawValue, &count, 8)) }
    }

    /// Adds to the count; false if there is no room for 1. The kernel says no more than that without waiting: where there is room for 1 and not for all of `count`, within 2^64 of each other, this waits.
    ///
    /// The corresponding C functions are `poll` and `write`.
    public func tryAdd(_ count: UInt64) throws(FacilityError) -> Bool {
        if count > 0, try !isReadyNow(descriptor, .writing, facility) { return false }
        try add(count)
        return true
    }

    /// Adds to the count; waits while there is no room for 1, until `deadline`.
    public func add(_ count: UInt64, until deadline: MonotonicInstant) throws(FacilityError) {
        while try !tryAdd(count) { try waitUntilReady(for: .writing, until: deadline) }
    }

    /// Adds to the count; suspends the task while there is no room for 1, until `deadline` or cancellation.
    public func add(_ count: UInt64, until deadline: MonotonicInstant? = nil) async throws(FacilityError) {
        while try !tryAdd(count) { try await waitUntilReady(for: .writing, until: deadline) }
    }
}

extension Facility {
    public static let eventCounter = Facility("event counter") { operation, error in
        switch (operation, error) {
        case ("write", .invalidArgument): "add at most EventCounter.most"
        default: nil
        }
    }
}
