import CInterprocess
import Glibc
public import SystemPackage

/// A TCP connection: bytes in both directions, in order, between processes of any two machines.
///
///     let stream = try await TcpStream.connect(to: InternetAddress(.loopback(), port: 8080), until: .after(.seconds(5)))
///     try await stream.write(question.span)
///
/// **Boundaries** Bytes have none.
///
/// **Blocking** Writing waits while as much is on its way as both sockets' buffers hold.
///
/// **Death** Of the other process: what it has written is read first, then the end; of what is written then, the first is lost without a word, later writing is
/// ``FacilityError/isOtherSideGone``. If it had not read all that was written to it, also reading is (`ECONNRESET`), once. Of the other machine: reading
/// waits for ever, writing is `ETIMEDOUT` after a quarter of an hour; take deadlines.
public struct TcpStream: InternetSocket, StreamSocket, ~Copyable {
    public static var kind: SocketKind { .stream }
    public static var facility: Facility { .tcp }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// Connects to the socket at `address`; suspends the task until the other machine has answered, until `deadline` or cancellation.
    ///
    /// The corresponding C functions are `socket`, `connect`, `getsockopt(SO_ERROR)`, and `fcntl(F_SETFL)`: until it is connected, the socket does not block.
    ///
    /// - Throws: `ECONNREFUSED` if nobody listens, `ENETUNREACH`, `EHOSTUNREACH`, `EADDRNOTAVAIL`, and also without a deadline `ETIMEDOUT`.
    public static func connect(to address: InternetAddress, until deadline: MonotonicInstant? = nil) async throws(FacilityError)
        -> TcpStream
    {
        let stream = try beginConnecting(to: address)
        try await stream.waitUntilReady(for: .writing, until: deadline)
        try stream.finishConnecting(to: address)
        return stream
    }

    private static func beginConnecting(to address: InternetAddress) throws(FacilityError) -> TcpStream {
        let stream = try make(address.family)
        try stream.setBlocking(false)
        unsafe try address.withBytes(facility, "connect") { (bytes, count) throws(FacilityError) in
            do throws(FacilityError) {
                try facility.call("connect", on: address.description) { unsafe ipc_connect(stream.descriptor.rawValue, bytes, count) }
            } catch let error where error.errno == .nowInProgress {
                return
            }
        }
        return stream
    }

    private func finishConnecting(to address: InternetAddress) throws(FacilityError) {
        let error = try option("getsockopt(SO_ERROR)", ipc_socket_error)
        if error != 0 { throw FacilityError(facility, "connect", Errno(rawValue: CInt(error)), object: address.description) }
        try setBlocking(true)
    }

    /// The socket is this one's own still, nobody else is changed by that.
    private func setBlocking(_ isOn: Bool) throws(FacilityError) {
        try facility.call("fcntl(F_SETFL)") { ipc_fcntl(descriptor.rawValue, ipc_set_status_flags, isOn ? 0 : Int(O_NONBLOCK)) }
    }

    /// Whether small pieces are sent at once, each in a packet of its own, or kept back until earlier ones have been acknowledged (Nagle's algorithm), as a new connection does.
    ///
    /// The corresponding C function is `setsockopt(TCP_NODELAY)`.
    public func setNoDelay(_ isOn: Bool) throws(FacilityError) {
        try setOption("setsockopt(TCP_NODELAY)", ipc_level_tcp, ipc_tcp_no_delay, isOn ? 1 : 0)
    }
}

extension Facility {
    public static let tcp = Facility("TCP socket") { internetAdvice($0, $1) }
}
