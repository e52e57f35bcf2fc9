import CInterprocess
public import SystemPackage

/// A pipe: what is written to one end is read from the other, by this process or one that it is given to.
///
///     let pipe = try Pipe()
///     var child = try ChildProcess(starting: "/bin/date", arguments: [], descriptors: [(pipe.writing.descriptor, 1)])
///
/// **Boundaries** Bytes have none. What is written in one call of at most ``atomicByteCount`` bytes stands together, whoever else writes; more
/// may be mixed with what others write. With `packets`, each writing of at most that many bytes is one packet, a longer one several; each
/// reading takes one packet, and **what of it has no room in the buffer is lost**.
///
/// **Blocking** Reading waits while the pipe is empty and somebody has the writing end; writing waits while it is full.
///
/// **Death** Of the last writer: the end, after all that it has written. Of the last reader: the writer gets ``FacilityError/isOtherSideGone``.
/// An end that this process has kept holds the pipe open: end the value, or give it to ``replaceByNullDevice(_:)`` in a child of `fork`.
@frozen
public struct Pipe: ~Copyable, Sendable {
    public let reading: PipeReader
    public let writing: PipeWriter

    /// `PIPE_BUF`: how many bytes of one writing stand together, and the most that a packet holds.
    public static var atomicByteCount: Int { 4096 }

    /// Makes a pipe that children do not inherit unless it is given to them.
    ///
    /// The corresponding C function is `pipe2(O_CLOEXEC)`, with `O_DIRECT` for packets.
    ///
    /// - Throws: `EMFILE`, `ENFILE` (also where the user's pipes have all the memory they may), `ENOMEM`.
    public init(packets: Bool = false) throws(FacilityError) {
        let (first, second) = unsafe try descriptorPair(.pipe, "pipe2") { unsafe ipc_pipe($0, packets ? ipc_pipe_packets : 0) }
        reading = PipeReader(OwnedDescriptor(owning: first))
        writing = PipeWriter(OwnedDescriptor(owning: second))
    }

    /// Gives both ends up without closing them.
    public consuming func release() -> (reading: FileDescriptor, writing: FileDescriptor) { (reading.release(), writing.release()) }

    /// How many bytes fit into the pipe. The corresponding C function is `fcntl(F_GETPIPE_SZ)`.
    public func capacity() throws(FacilityError) -> Int {
        try Facility.pipe.call("fcntl(F_GETPIPE_SZ)") { ipc_fcntl(writing.descriptor.rawValue, ipc_get_pipe_size, 0) }
    }

    /// Asks for room for `bytes` in the pipe; returns what it has then: a power of two, and at least a page.
    ///
    /// The corresponding C function is `fcntl(F_SETPIPE_SZ)`.
    ///
    /// - Throws: `EPERM` above ``largestCapacity()`` without privileges, `EBUSY` if more is in the pipe, `EINVAL` from 2³¹ on, `ENOMEM`.
    @discardableResult
    public func setCapacity(_ bytes: Int) throws(FacilityError) -> Int {
        try Facility.pipe.call("fcntl(F_SETPIPE_SZ)") { ipc_fcntl(writing.descriptor.rawValue, ipc_set_pipe_size, bytes) }
    }

    /// The most bytes that a user without privileges may give a pipe, as the running kernel says it in `/proc/sys/fs/pipe-max-size`; nil
    /// without `/proc`.
    public static func largestCapacity() -> Int? { kernelLimit("fs/pipe-max-size") }
}

extension Facility {
    /// Pipes and FIFOs, once they are open.
    public static let pipe = Facility("pipe") { operation, error in
        switch (operation, error) {
        case ("fcntl(F_SETPIPE_SZ)", .notPermitted): "ask for at most Pipe.largestCapacity() bytes, or raise fs.pipe-max-size"
        case ("fcntl(F_SETPIPE_SZ)", .resourceBusy): "more is in the pipe than would fit then; read it first"
        case ("pipe2", .tooManyOpenFilesInSystem): "close some pipes, or raise fs.pipe-user-pages-hard or fs.file-max"
        case (_, .brokenPipe): "nobody has the reading end any more; stop writing, or find out how the reader ended"
        default: nil
        }
    }
}

/// Two descriptors of one call.
func descriptorPair(
    _ facility: Facility, _ name: SystemCallName, _ make: (UnsafeMutablePointer<CInt>) -> Int
) throws(FacilityError) -> (Int, Int) {
    var pair: (CInt, CInt) = (-1, -1)
    try facility.call(name) {
        unsafe withUnsafeMutablePointer(to: &pair) { unsafe $0.withMemoryRebound(to: CInt.self, capacity: 2) { unsafe make($0) } }
    }
    return (Int(pair.0), Int(pair.1))
}
