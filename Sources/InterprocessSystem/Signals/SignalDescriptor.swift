import CInterprocess
import Glibc
public import SystemPackage

/// Signals as messages: those that this process blocks are read from a descriptor, with who sent them and a value.
///
///     Signal.block([Signal.terminate, Signal.realTime.lowerBound])    // before other threads are started
///     let signals = try SignalDescriptor([Signal.terminate, Signal.realTime.lowerBound])
///     for … { let signal = try await signals.receive(); … }
///
/// **Boundaries** One signal at a time. Of a standard signal that comes again before it was read there is one; of a real-time signal each is kept, with its value, in the order of their numbers, then of their coming,
/// up to the user's limit (`ulimit -i`).
///
/// **Which process** A read gets the signals of the thread and process that reads, whoever made the descriptor.
///
/// **Death** Of the sender: nothing; a signal that was sent arrives.
public struct SignalDescriptor: DescriptorFacility, ~Copyable {
    private let owned: OwnedDescriptor

    /// Makes a descriptor for `signals`. They are to be blocked by every thread (``Signal/block(_:)``); else they do what they did before. `SIGKILL` and `SIGSTOP` never come.
    ///
    /// The corresponding C function is `signalfd(SFD_CLOEXEC)`.
    ///
    /// - Throws: `EINVAL` for a number that is no signal; `EMFILE`, `ENFILE`, `ENODEV`, `ENOMEM`.
    public init(_ signals: [Int32]) throws(FacilityError) {
        owned = OwnedDescriptor(owning: try Self.make(-1, signals))
    }

    /// Makes it one for `signals` instead. The corresponding C function is `signalfd`.
    public func replace(_ signals: [Int32]) throws(FacilityError) { _ = try Self.make(descriptor.rawValue, signals) }

    private static func make(_ descriptor: CInt, _ signals: [Int32]) throws(FacilityError) -> Int {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { try Facility.signals.call("signalfd") { unsafe ipc_signal_add(&set, signal) } }
        return try Facility.signals.call("signalfd") { unsafe ipc_signalfd(descriptor, &set) }
    }

    public var facility: Facility { .signals }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// What came.
    public struct Received: Sendable, Hashable {
        public let signal: Int32
        /// The process that sent it; of `SIGCHLD`, the child. 0: the kernel.
        public let pid: Int32
        public let userID: UInt32
        /// What was sent with it by ``Signal/send(_:to:value:)`` or `sigqueue`; nil if it came otherwise.
        public let value: Int32?
    }

    /// Receives the next one; waits for it. The corresponding C function is `read`.
    public func receive() throws(FacilityError) -> Received {
        var bytes = SignalBytes(repeating: 0)
        var span = bytes.mutableSpan
        _ = try readBlocking(descriptor, into: &span, of: facility)
        return received(bytes)
    }

    /// Receives the next one; nil if there is none. The corresponding C function is `preadv2(RWF_NOWAIT)`, and where the kernel has it not for such a descriptor, `poll` and `read`: then somebody else who
    /// reads at the same moment makes this one wait.
    public func tryReceive() throws(FacilityError) -> Received? {
        var bytes = SignalBytes(repeating: 0)
        var span = bytes.mutableSpan
        guard try readNow(descriptor, into: &span, of: facility) != nil else { return nil }
        return received(bytes)
    }

    /// Receives the next one; waits for it until `deadline`.
    public func receive(until deadline: MonotonicInstant) throws(FacilityError) -> Received {
        while true {
            if let found = try tryReceive() { return found }
            try waitUntilReady(for: .reading, until: deadline)
        }
    }

    /// Receives the next one; suspends the task for it, until `deadline` or cancellation. The signals are to be blocked by the threads on which tasks run: by all.
    public func receive(until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> Received {
        while true {
            if let found = try tryReceive() { return found }
            try await waitUntilReady(for: .reading, until: deadline)
        }
    }

    private func received(_ bytes: SignalBytes) -> Received {
        let raw = unsafe bytes.span.withUnsafeBytes { unsafe $0.loadUnaligned(as: ipc_signal_information.self) }
        return Received(
            signal: Int32(bitPattern: raw.signal), pid: Int32(bitPattern: raw.pid), userID: raw.uid,
            value: raw.code == ipc_signal_from_queue ? raw.value : nil)
    }
}

/// `sizeof(struct signalfd_siginfo)`.
private typealias SignalBytes = InlineArray<128, UInt8>

extension Signal {
    /// The real-time signals: of each of them as many wait as were sent, with their values. The C library keeps the first two of the kernel's for itself.
    public static var realTime: ClosedRange<Int32> { ipc_first_real_time_signal()...ipc_last_real_time_signal() }

    /// Sends `signal` with a value to the process `pid`. The corresponding C function is `sigqueue`.
    ///
    /// - Throws: `EAGAIN` if as many real-time signals wait as the receiver's user may have (`ulimit -i`), `EINVAL` for a number that is no signal, `EPERM`, `ESRCH`.
    public static func send(_ signal: Int32, to pid: Int32, value: Int32) throws(FacilityError) {
        try Facility.signals.call("sigqueue", on: "process \(pid)") { ipc_signal_queue(pid, signal, value) }
    }
}

extension Facility {
    public static let signals = Facility("signals") { operation, error in
        switch (operation, error) {
        case ("signalfd", .invalidArgument): "a signal is a number from 1 to 64"
        case ("sigqueue", .invalidArgument): "a signal is a number from 0 to 64"
        case ("sigqueue", .resourceTemporarilyUnavailable):
            "the receiver's user has as many signals waiting as it may (ulimit -i); send it again when it has read some"
        case ("sigqueue", .notPermitted): "this user may not send signals to that process"
        case ("sigqueue", .noSuchProcess): "there is no such process any more"
        default: nil
        }
    }
}
