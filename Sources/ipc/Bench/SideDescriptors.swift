import CBenchmarkPeers
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
