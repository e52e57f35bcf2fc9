import CInterprocess
import SystemPackage

/// The memory of another process, at its addresses: read and written in one copy, without the other's doing.
///
///     let count = try ProcessMemory(of: pid).read(into: &span, at: address)
///
/// Whom it may look into: the kernel allows what it allows a debugger (`ptrace(2)`): the same user's, that can be dumped, and where `kernel.yama.ptrace_scope` is 1 only descendants; or `CAP_SYS_PTRACE`.
///
/// **Boundaries** Bytes, up to the first page that is not mapped: then fewer. Nothing is done at once: the other one may change them meanwhile.
///
/// **Death** `ESRCH`. The number may be another process's then: hold a ``ProcessDescriptor`` of it, and ask afterwards whether it has ended.
public struct ProcessMemory: Sendable, Hashable {
    public let pid: Int32

    public init(of pid: Int32) { self.pid = pid }

    /// How many ranges one call takes: `IOV_MAX`.
    public static var mostRanges: Int { 1024 }

    /// Reads bytes from `address` on. Returns how many: fewer if the memory does not go so far.
    ///
    /// The corresponding C function is `process_vm_readv`.
    ///
    /// - Throws: `EFAULT` if there is nothing, `EPERM`, `ESRCH`, `ENOMEM`.
    public func read(into buffer: inout MutableSpan<UInt8>, at address: UInt) throws(FacilityError) -> Int {
        let count = buffer.count
        return try read(into: &buffer, from: [.init(start: address, byteCount: count)])
    }

    /// Writes bytes from `address` on, where the other process may write itself. Returns how many: fewer if the memory does not go so far.
    ///
    /// The corresponding C function is `process_vm_writev`.
    ///
    /// - Throws: `EFAULT` if there is nothing, `EPERM`, `ESRCH`, `ENOMEM`.
    public func write(_ bytes: Span<UInt8>, at address: UInt) throws(FacilityError) -> Int {
        try write(bytes, to: [.init(start: address, byteCount: bytes.count)])
    }

    /// Addresses of the other process.
    public struct Range: Sendable, Hashable {
        public var start: UInt
        public var byteCount: Int
        public init(start: UInt, byteCount: Int) { (self.start, self.byteCount) = (start, byteCount) }
    }

    /// Reads the bytes of several ranges, one after the other, as many as fit. The corresponding C function is `process_vm_readv`.
    ///
    /// - Parameter ranges: at most ``mostRanges``.
    /// - Throws: `EINVAL` for more ranges, or bytes below 0; and what reading one does.
    public func read(into buffer: inout MutableSpan<UInt8>, from ranges: [Range]) throws(FacilityError) -> Int {
        let raw = ranges.map(\.raw)
        return try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try Facility.processMemory.call("process_vm_readv", on: object) {
                unsafe ipc_process_read(pid, buffer.baseAddress, buffer.count, raw, raw.count)
            }
        }
    }

    /// Writes the bytes to several ranges, one after the other. The corresponding C function is `process_vm_writev`.
    ///
    /// - Parameter ranges: at most ``mostRanges``.
    /// - Throws: `EINVAL` for more ranges, or bytes below 0; and what writing to one does.
    public func write(_ bytes: Span<UInt8>, to ranges: [Range]) throws(FacilityError) -> Int {
        let raw = ranges.map(\.raw)
        return try unsafe bytes.withUnsafeBytes { (bytes) throws(FacilityError) in
            try Facility.processMemory.call("process_vm_writev", on: object) {
                unsafe ipc_process_write(pid, bytes.baseAddress, bytes.count, raw, raw.count)
            }
        }
    }

    private var object: String { "process \(pid)" }
}

extension ProcessMemory.Range {
    /// To the kernel, bytes below 0 are more than there can be.
    fileprivate var raw: ipc_address_range { ipc_address_range(address: start, size: byteCount) }
}

extension Facility {
    public static let processMemory = Facility("process memory") { _, error in
        switch error {
        case .badAddress: "the other process has no such memory, or may not write to it; look at /proc/PID/maps"
        case .invalidArgument: "one call takes at most ProcessMemory.mostRanges ranges, of 0 bytes or more"
        case .notPermitted:
            "this user may not look into that process; be its owner and ancestor (kernel.yama.ptrace_scope), or have CAP_SYS_PTRACE"
        case .noSuchProcess: "there is no such process any more"
        default: nil
        }
    }
}
