import CInterprocess
public import SystemPackage

/// A process held by a descriptor: the number cannot come to mean another process, and the end can be waited for.
///
/// The corresponding C function is `pidfd_open`, Linux 5.3.
public struct ProcessDescriptor: ~Copyable, Sendable {
    private let owned: OwnedDescriptor

    /// Opens the process `pid`; `ESRCH` if there is none.
    public init(opening pid: Int32) throws(Errno) {
        owned = OwnedDescriptor(owning: try systemCall("pidfd_open") { ipc_pidfd_open(pid, 0) })
    }

    /// Takes over a descriptor of a process that somebody else has opened; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Whether the process has ended (it may still wait to be reaped). The corresponding C function is `poll`.
    public func hasEnded() throws(Errno) -> Bool { try wait(until: .now) }

    /// Waits until the process has ended, or until `deadline`; true if it has ended. The corresponding C function is
    /// `ppoll`.
    public func wait(until deadline: MonotonicInstant?) throws(Errno) -> Bool {
        try owned.descriptor.isReady(for: .reading, until: deadline)
    }

    /// Sends a signal. The corresponding C function is `pidfd_send_signal`.
    public func send(signal: Int32) throws(Errno) {
        try systemCall("pidfd_send_signal") { ipc_pidfd_send_signal(owned.descriptor.rawValue, signal) }
    }
}
