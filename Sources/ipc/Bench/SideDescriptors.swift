import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// Descriptors that the two sides of a case inherit. The first of each is number 4 in its process (`BENCH_INPUT`), the second 5
/// (`BENCH_OUTPUT`), and so on.
///
/// They are the coordinator's until ``close()``; made with close-on-exec, so that only the sides that they are meant for get them.
struct SideDescriptors: Sendable {
    var near: [FileDescriptor] = []
    var far: [FileDescriptor] = []

    /// A pipe in each direction.
    @Sendable static func pipes(size: Int) throws -> SideDescriptors {
        try make("pipe2") { unsafe bench_make_pipes(&$0, UInt64(size)) }
    }

    /// A pair of connected unix stream sockets.
    @Sendable static func sockets(size: Int) throws -> SideDescriptors {
        try make("socketpair") { unsafe bench_make_sockets(&$0, UInt64(size)) }
    }

    /// An eventfd in each direction.
    @Sendable static func eventfds(size: Int) throws -> SideDescriptors {
        try make("eventfd") { unsafe bench_make_eventfds(&$0) }
    }

    /// A POSIX message queue in each direction, with ten messages of room. An unprivileged program may have messages of 8 KiB.
    @Sendable static func messageQueues(size: Int) throws -> SideDescriptors {
        try make("mq_open") { unsafe bench_make_queues(&$0, UInt64(size)) }
    }

    /// A pair of connected unix datagram sockets.
    @Sendable static func datagrams(size: Int) throws -> SideDescriptors {
        try make("socketpair") { unsafe bench_make_datagrams(&$0) }
    }

    /// A FIFO in each direction, whose paths are gone again.
    @Sendable static func fifos(size: Int) throws -> SideDescriptors {
        var all = SideDescriptors()
        for number in 0..<2 {
            let fifo = try Fifo.create(at: FilePath("/tmp/ipc-bench-\(ProcessIdentity.current().pid)-\(number)"))
            defer { try? fifo.remove() }
            let reader = try fifo.openReaderAtOnce().release(), writer = try fifo.openWriter().release()
            if size > 4096 { bench_enlarge_pipe(writer.rawValue) }
            // The first: to the far side.
            if number == 0 {
                (all.far, all.near) = ([reader], [writer])
            } else {
                (all.near, all.far) = ([reader] + all.near, all.far + [writer])
            }
        }
        return all
    }

    /// Two connected seqpacket sockets.
    @Sendable static func seqpackets(size: Int) throws -> SideDescriptors {
        try make("socketpair") { unsafe bench_make_seqpackets(&$0) }
    }

    /// A TCP connection within this machine, whose messages are sent at once.
    @Sendable static func tcp(size: Int) throws -> SideDescriptors {
        let listener = try TcpListener.create(at: InternetAddress(.loopback(), port: 0))
        let near = try TcpStream.connect(to: try listener.localAddress())
        let far = try listener.accept()
        try near.setNoDelay(true)
        try far.setNoDelay(true)
        return both(near.release(), far.release())
    }

    /// Two UDP sockets of this machine that are connected to each other.
    @Sendable static func udp(size: Int) throws -> SideDescriptors {
        let near = try UdpSocket.create(at: InternetAddress(.loopback(), port: 0))
        let far = try UdpSocket.create(at: InternetAddress(.loopback(), port: 0))
        try near.connect(to: try far.localAddress())
        try far.connect(to: try near.localAddress())
        return both(near.release(), far.release())
    }

    /// A terminal that changes nothing, and the side that plays the person.
    @Sendable static func terminal(size: Int) throws -> SideDescriptors {
        let near = try Pseudoterminal.create()
        let far = try near.openTerminal()
        try far.makeRaw()
        return both(near.release(), far.release())
    }

    /// One descriptor for both directions.
    private static func both(_ near: FileDescriptor, _ far: FileDescriptor) -> SideDescriptors {
        SideDescriptors(near: [near, near], far: [far, far])
    }

    /// As many pairs of connected unix stream sockets as there are subscribers; all of the near side inherit all of theirs.
    static func fan(to subscribers: Int, size: Int) throws -> SideDescriptors {
        var all = SideDescriptors()
        do {
            for _ in 0..<subscribers {
                let pair = try sockets(size: size)
                all.near.append(pair.near[0])
                all.far.append(pair.far[0])
            }
        } catch {
            all.close()
            throw error
        }
        return all
    }

    private static func make(_ call: String, _ body: (inout bench_descriptors) -> CInt) throws -> SideDescriptors {
        var made = bench_descriptors()
        let status = body(&made)
        guard status == 0 else { throw BenchmarkError("\(call): \(Errno(rawValue: -status))") }
        return SideDescriptors(
            near: [made.near_input, made.near_output].map { FileDescriptor(rawValue: $0) },
            far: [made.far_input, made.far_output].map { FileDescriptor(rawValue: $0) })
    }

    /// Closes the coordinator's own, so that a side that dies is an end of file to the other.
    func close() {
        for descriptor in Set((near + far).map(\.rawValue)) { try? FileDescriptor(rawValue: descriptor).close() }
    }
}

/// What stopped a run, in one line.
struct BenchmarkError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
