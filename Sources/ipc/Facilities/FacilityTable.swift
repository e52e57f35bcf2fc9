/// What is said of the kernel's facilities. `ipc facilities --check` holds each cell against the running kernel, and so do the tests.
enum FacilityTable {
    static let rows = [
        FacilityRow(
            "pipe", "bytes", PipeScene.self, identifiedBy: passed, handle: "descriptor", access: given, lasts: lastUser,
            boundaries: "byte stream", pollable: true, death: "reader: the end; writer: EPIPE", limit: .kernel("fs/pipe-max-size")),
        FacilityRow(
            "FIFO", "bytes", FifoScene.self, identifiedBy: "path", handle: "descriptor", access: "permissions", lasts: pathStays,
            boundaries: "byte stream", pollable: true, death: "reader: the end; writer: EPIPE", limit: .kernel("fs/pipe-max-size")),
        FacilityRow(
            "unix stream socket", "bytes", UnixStreamScene.self, identifiedBy: "path", handle: "descriptor", access: "permissions",
            lasts: pathStays, boundaries: "byte stream", pollable: true, descriptors: true,
            death: "reader: the end, ECONNRESET if it had left something unread; writer: EPIPE", limit: .kernel("net/core/wmem_max")),
        FacilityRow(
            "TCP socket", "bytes", TcpScene.self, identifiedBy: "address and port", handle: "descriptor", access: "anybody",
            lasts: lastUser, boundaries: "byte stream", pollable: true,
            death: "reader: the end, ECONNRESET if it had left something unread; writer: EPIPE, not at once",
            limit: .kernel("net/ipv4/tcp_wmem")),
        FacilityRow(
            "pseudoterminal", "bytes", PseudoterminalScene.self, identifiedBy: "path", handle: "descriptor", access: "permissions",
            lasts: lastUser, boundaries: "lines, or byte stream", pollable: true,
            death: "of the program: the reader sees the end, the writer goes on; of the other side: the end, EIO",
            limit: .kernel("kernel/pty/max")),
        FacilityRow(
            "unix seqpacket socket", "messages", UnixSeqpacketScene.self, identifiedBy: "path", handle: "descriptor", access: "permissions",
            lasts: pathStays, boundaries: "messages", pollable: true, descriptors: true,
            death: "reader: the end, ECONNRESET if it had left something unread; writer: EPIPE", limit: .kernel("net/core/wmem_max")),
        FacilityRow(
            "unix datagram socket", "messages", UnixDatagramScene.self, identifiedBy: "path", handle: "descriptor", access: "permissions",
            lasts: pathStays, boundaries: "messages", pollable: true, descriptors: true,
            death: "receiver: nothing to be seen; sender: ECONNREFUSED", limit: .kernel("net/unix/max_dgram_qlen")),
        FacilityRow(
            "UDP socket", "messages", UdpScene.self, identifiedBy: "address and port", handle: "descriptor", access: "anybody",
            lasts: lastUser, boundaries: "messages", pollable: true,
            death: "receiver: nothing to be seen; sender: ECONNREFUSED, with the next message", limit: .kernel("net/core/rmem_max")),
        FacilityRow(
            "POSIX message queue", "messages", PosixMessageQueueScene.self, identifiedBy: "/name", handle: "descriptor",
            access: "permissions", lasts: untilRemoved, boundaries: "messages", order: "by priority, 0 to 32767", pollable: true,
            death: "nothing to be seen", limit: .kernel("fs/mqueue/msg_max")),
        FacilityRow(
            "System V message queue", "messages", SystemVMessageQueueScene.self, identifiedBy: "key, or its number", handle: "number",
            access: "permissions", lasts: untilRemoved, boundaries: "messages", order: "by type, as the receiver asks", pollable: false,
            death: "nothing to be seen", limit: .kernel("kernel/msgmnb")),
        FacilityRow(
            "real-time signal", "messages", SignalScene.self, identifiedBy: "process id", handle: "descriptor", access: "the same user",
            lasts: "as long as the process that they are sent to", boundaries: "messages", order: "by number, the lowest first",
            pollable: true, death: "nothing to be seen", limit: .process("Max pending signals")),
        FacilityRow(
            "mapped file", "memory", MappedFileScene.self, identifiedBy: "path", handle: "an address", access: "permissions",
            lasts: "until removed", boundaries: "bytes that are shared", order: "none", pollable: false, death: "its bytes stay",
            limit: .fixed("the file system")),
        FacilityRow(
            "POSIX shared memory", "memory", PosixSharedMemoryScene.self, identifiedBy: "/name", handle: "descriptor",
            access: "permissions", lasts: untilRemoved, boundaries: "bytes that are shared", order: "none", pollable: false,
            death: "its bytes stay", limit: .fixed("/dev/shm")),
        FacilityRow(
            "System V shared memory", "memory", SystemVSharedMemoryScene.self, identifiedBy: "key, or its number",
            handle: "number, then an address", access: "permissions", lasts: untilRemoved, boundaries: "bytes that are shared",
            order: "none",
            pollable: false, death: "its bytes stay; it is counted no more", limit: .kernel("kernel/shmmax")),
        FacilityRow(
            "memory file", "memory", MemoryFileScene.self, identifiedBy: passed, handle: "descriptor", access: given, lasts: lastUser,
            boundaries: "bytes that are shared", order: "none", pollable: false, death: "its bytes stay", limit: .fixed("memory")),
        FacilityRow(
            "futex", "synchronization", FutexScene.self, identifiedBy: "its place in shared memory", handle: "an address",
            access: "who has its memory", lasts: "as long as its memory", boundaries: "a word that is compared", order: "none",
            pollable: false, death: "nothing to be seen", limit: .fixed("memory")),
        FacilityRow(
            "POSIX semaphore", "synchronization", PosixSemaphoreScene.self, identifiedBy: "/name", handle: "an address",
            access: "permissions", lasts: untilRemoved, boundaries: "a number, one at a time", order: "none", pollable: false,
            death: "nothing to be seen; what it took is gone", limit: .fixed("2^31 - 1")),
        FacilityRow(
            "System V semaphores", "synchronization", SystemVSemaphoreScene.self, identifiedBy: "key, or its number", handle: "number",
            access: "permissions", lasts: untilRemoved, boundaries: "numbers, several at once", order: "none", pollable: false,
            death: "what it did is undone where it said so", limit: .kernel("kernel/sem")),
        FacilityRow(
            "eventfd", "synchronization", EventCounterScene.self, identifiedBy: passed, handle: "descriptor", access: given,
            lasts: lastUser, boundaries: "a number that adds up", order: "none", pollable: true, death: "nothing to be seen",
            limit: .fixed("2^64 - 2")),
        FacilityRow(
            "timerfd", "synchronization", TimerScene.self, identifiedBy: passed, handle: "descriptor", access: given, lasts: lastUser,
            boundaries: "a number that adds up", order: "none", pollable: true, death: "nothing to be seen",
            limit: .fixed("2^64 - 1 expirations")),
        FacilityRow(
            "pidfd", "synchronization", ProcessScene.self, identifiedBy: "process id", handle: "descriptor", access: "anybody",
            lasts: lastUser, boundaries: "one event: its end", order: "none", pollable: true, death: "readable at once",
            limit: .kernel("kernel/pid_max")),
        FacilityRow(
            "lock of a whole file", "synchronization", WholeFileLockScene.self, identifiedBy: "path", handle: "a descriptor of the file",
            access: "permissions", lasts: "as long as somebody has that opening", boundaries: "carries nothing", order: "none",
            pollable: false, death: "its lock is given back", limit: .fixed("memory")),
        FacilityRow(
            "lock of bytes, by opening", "synchronization", OpenFileDescriptionLockScene.self, identifiedBy: "path",
            handle: "a descriptor of the file", access: "permissions", lasts: "as long as somebody has that opening",
            boundaries: "carries nothing", order: "none", pollable: false, death: "its lock is given back", limit: .fixed("memory")),
        FacilityRow(
            "lock of bytes, by process", "synchronization", RecordLockScene.self, identifiedBy: "path", handle: "a descriptor of the file",
            access: "permissions", lasts: "until its process closes any descriptor of the file", boundaries: "carries nothing",
            order: "none", pollable: false, death: "its lock is given back", limit: .fixed("memory")),
    ]

    /// For a process that does nothing.
    static let sleeper = rows.first { $0.scene == PipeScene.self }!

    private static let passed = "nothing: inherited or passed", given = "who was given it"
    private static let lastUser = "as long as somebody has it", pathStays = "as long as somebody has it; the path until removed"
    private static let untilRemoved = "until removed, or the machine's end"
}
