import CInterprocess
import Glibc
public import SystemPackage

/// A pipe: what is written to one end is read from the other.
public struct Pipe: ~Copyable, Sendable {
    public let reading: OwnedDescriptor
    public let writing: OwnedDescriptor

    /// Makes a pipe that children do not inherit unless it is given to them.
    ///
    /// The corresponding C function is `pipe2(O_CLOEXEC)`.
    public init() throws(Errno) {
        let (first, second) = unsafe try descriptorPair("pipe2") { unsafe ipc_pipe($0) }
        reading = OwnedDescriptor(owning: first)
        writing = OwnedDescriptor(owning: second)
    }

    /// Gives both ends up without closing them.
    public consuming func release() -> (reading: FileDescriptor, writing: FileDescriptor) { (reading.release(), writing.release()) }

    /// Asks for room for `bytes` in the pipe; returns what it has then. A user without privileges gets at most
    /// `/proc/sys/fs/pipe-max-size`.
    ///
    /// The corresponding C function is `fcntl(F_SETPIPE_SZ)`.
    public func setCapacity(_ bytes: Int) throws(Errno) -> Int {
        try systemCall("fcntl(F_SETPIPE_SZ)") { ipc_fcntl(writing.descriptor.rawValue, ipc_set_pipe_size, bytes) }
    }
}

/// Two connected unix stream sockets.
public struct StreamSocketPair: ~Copyable, Sendable {
    public let first: OwnedDescriptor
    public let second: OwnedDescriptor

    /// Makes the pair; children do not inherit it unless it is given to them.
    ///
    /// The corresponding C function is `socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC)`.
    public init() throws(Errno) {
        let (first, second) = unsafe try descriptorPair("socketpair") { unsafe ipc_stream_socket_pair($0) }
        self.first = OwnedDescriptor(owning: first)
        self.second = OwnedDescriptor(owning: second)
    }

    /// Asks for buffers of `bytes` in both directions. The kernel grants at most `net.core.wmem_max`.
    ///
    /// The corresponding C function is `setsockopt(SO_SNDBUF)`.
    public func setBufferSize(_ bytes: Int) throws(Errno) {
        for descriptor in [first.descriptor, second.descriptor] {
            try systemCall("setsockopt") { ipc_set_send_buffer(descriptor.rawValue, Int32(clamping: bytes)) }
        }
    }
}

private func descriptorPair(_ name: SystemCallName, _ make: (UnsafeMutablePointer<CInt>) -> Int) throws(Errno) -> (Int, Int) {
    var pair: (CInt, CInt) = (-1, -1)
    try systemCall(name) {
        unsafe withUnsafeMutablePointer(to: &pair) { unsafe $0.withMemoryRebound(to: CInt.self, capacity: 2) { unsafe make($0) } }
    }
    return (Int(pair.0), Int(pair.1))
}

extension FileDescriptor {
    /// Reads what there is, at most `buffer.count` bytes; waits while there is nothing, also where the file was opened not to block
    /// (`O_NONBLOCK`), as whoever has started this process may have done. Returns how many bytes, 0 at the end.
    ///
    /// The corresponding C functions are `read` and `poll`.
    public func readWaiting(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        while true {
            do throws(Errno) {
                return try systemCall("read") { unsafe resultOrErrno(Glibc.read(rawValue, buffer.baseAddress, buffer.count)) }
            } catch .resourceTemporarilyUnavailable {
                try wait(for: POLLIN)
            }
        }
    }

    /// Writes all of `bytes`; waits while there is no room, also where the file was opened not to block (`O_NONBLOCK`).
    ///
    /// The corresponding C functions are `write` and `poll`.
    public func writeAllWaiting(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            do throws(Errno) {
                done += try systemCall("write") {
                    unsafe resultOrErrno(Glibc.write(rawValue, bytes.baseAddress! + done, bytes.count - done))
                }
            } catch .resourceTemporarilyUnavailable {
                try wait(for: POLLOUT)
            }
        }
    }

    /// Waits until there is something to read, or room to write, or an end or error that the next call will say.
    private func wait(for events: Int32) throws(Errno) {
        var item = pollfd(fd: rawValue, events: Int16(events), revents: 0)
        try systemCall("poll") { unsafe resultOrErrno(poll(&item, 1, -1)) }
    }
}

/// Standard input, output and error of this process.
public enum StandardStreams {
    /// Opens `/dev/null` for each standard stream that is closed, so that no file opened later gets its number and is taken for it. Returns
    /// which were closed.
    ///
    /// The corresponding C functions are `fcntl(F_GETFD)` and `open`. To be called first of all.
    public static func fillClosed() -> [FileDescriptor] {
        [FileDescriptor.standardInput, .standardOutput, .standardError].filter { stream in
            guard ipc_fcntl(stream.rawValue, ipc_get_descriptor_flags, 0) < 0 else { return false }
            // The lowest number that is free is this one: those below have been looked at.
            unsafe _ = ipc_openat(AT_FDCWD, "/dev/null", O_RDWR, 0)
            return true
        }
    }
}
