public import SystemPackage

/// A facility that is held by a descriptor, which its value owns and closes.
///
/// **Waiting** The descriptor itself blocks (`O_NONBLOCK` is off), since that flag is shared with every process that has the descriptor too.
/// The forms of one operation, here of reading:
///
/// | form | waits |
/// |---|---|
/// | `read(into:)` | in the call itself, for ever |
/// | `tryRead(into:)` | never; nil where it would have to |
/// | `read(into:until:)` | at most until the deadline; then an error, ``FacilityError/isDeadline`` |
/// | `await read(into:until:)` | suspends the task; ends also when it is cancelled, ``FacilityError/isCancelled`` |
///
/// A call that a signal interrupts is made again.
public protocol DescriptorFacility: ~Copyable, Sendable {
    var facility: Facility { get }
    /// The descriptor, for calls of others; it stays the owner's.
    var descriptor: FileDescriptor { get }
}

extension DescriptorFacility where Self: ~Copyable {
    /// Waits until a call would not block, or until `deadline`. Somebody else who has the descriptor may be quicker then.
    ///
    /// The corresponding C function is `ppoll`.
    ///
    /// - Throws: ``FacilityError/isDeadline``, or what `ppoll` does.
    public func waitUntilReady(for interest: PolledDescriptor.Interest, until deadline: MonotonicInstant?) throws(FacilityError) {
        let isReady = try facility.checking("ppoll") { () throws(Errno) in try descriptor.isReady(for: interest, until: deadline) }
        if !isReady { throw FacilityError(facility, "ppoll", .deadline) }
    }

    /// The same; suspends the task. The corresponding C functions are `epoll_ctl` and `epoll_pwait2`.
    ///
    /// - Throws: ``FacilityError/isDeadline``, ``FacilityError/isCancelled``, or what `epoll_ctl` does.
    public func waitUntilReady(for interest: PolledDescriptor.Interest, until deadline: MonotonicInstant?) async throws(FacilityError) {
        do throws(Errno) {
            try await Readiness.wait(for: descriptor, interest, until: deadline)
        } catch {
            throw FacilityError(facility, "epoll", error)
        }
    }
}

extension FileDescriptor {
    /// Waits until a call would not block, or until `deadline`; false if the deadline came first. An end or an error is ready: the next call says it.
    ///
    /// The corresponding C function is `ppoll`.
    func isReady(for interest: PolledDescriptor.Interest, until deadline: MonotonicInstant?) throws(Errno) -> Bool {
        var item = pollItem(self, interest)
        while true {
            if try unsafe pollOnce(&item, 1, until: deadline) > 0 { return true }
            if let deadline, deadline <= .now { return false }
        }
    }
}
