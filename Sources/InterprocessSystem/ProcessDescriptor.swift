import CInterprocess
public import SystemPackage

/// A process held by a descriptor: the number cannot come to mean another process, and the end can be waited for.
///
/// **Death** Of the process is what it tells: the descriptor can be read from (`poll`) from then on, whether somebody has reaped it or not.
///
/// The corresponding C function is `pidfd_open`, Linux 5.3.
public struct ProcessDescriptor: DescriptorFacility, ~Copyable {
    private let owned: OwnedDescriptor

    /// Opens the process `pid`; `ESRCH` if there is none.
    ///
    /// - Throws: `ESRCH`, `EINVAL` for a number that is no process's, as of a thread; `EMFILE`, `ENFILE`, `ENODEV`, `ENOMEM`, `ENOSYS`.
    public init(opening pid: Int32) throws(FacilityError) {
        owned = OwnedDescriptor(owning: try Facility.process.call("pidfd_open", on: "process \(pid)") { ipc_pidfd_open(pid, 0) })
    }

    /// Takes over a descriptor of a process that somebody else has opened; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var facility: Facility { .process }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// Whether the process has ended (it may still wait to be reaped). The corresponding C function is `poll`.
    public func hasEnded() throws(FacilityError) -> Bool { try isReadyNow(descriptor, .reading, facility) }

    /// Waits until the process has ended, or until `deadline`; true if it has ended. The corresponding C function is
    /// `ppoll`.
    public func wait(until deadline: MonotonicInstant?) throws(FacilityError) -> Bool {
        try facility.checking("ppoll") { () throws(Errno) in try descriptor.isReady(for: .reading, until: deadline) }
    }

    /// The same; suspends the task, until `deadline` or cancellation. The corresponding C functions are `epoll_ctl` and `epoll_pwait2`.
    ///
    /// - Throws: ``FacilityError/isCancelled``.
    public func wait(until deadline: MonotonicInstant?) async throws(FacilityError) -> Bool {
        do throws(FacilityError) {
            try await waitUntilReady(for: .reading, until: deadline)
            return true
        } catch let error where error.isDeadline {
            return try hasEnded()
        }
    }

    /// Sends a signal; 0 only asks whether that is possible. The corresponding C function is `pidfd_send_signal`.
    ///
    /// - Throws: `ESRCH` if the process has ended and been reaped, `EPERM`, `EINVAL` for a number that is no signal.
    public func send(signal: Int32) throws(FacilityError) {
        try facility.call("pidfd_send_signal") { ipc_pidfd_send_signal(owned.descriptor.rawValue, signal) }
    }
}

extension Facility {
    /// Processes by descriptor.
    public static let process = Facility("process") { operation, error in
        switch (operation, error) {
        case (_, .noSuchProcess): "there is no such process any more"
        case ("pidfd_open", .invalidArgument): "a process has a number above 0, and a thread's is none; ask for the process's"
        case ("pidfd_open", .operationNotSupportedByDevice): "this system holds no processes by descriptor; use a newer kernel"
        case ("pidfd_send_signal", .invalidArgument): "a signal is a number from 0 to 64"
        case ("pidfd_send_signal", .notPermitted): "this user may not send signals to that process"
        default: nil
        }
    }
}
