import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// The forms of a call that waits.
enum WaitingForm: CaseIterable, Sendable { case bare, deadline, task }

private let obedient = """
    import ctypes, fcntl, mmap, os, signal, socket, struct, sys, time
    lib = ctypes.CDLL(None, use_errno=True)
    lib.syscall.restype = ctypes.c_long
    def asleep():
        # Seen several times: it may wait for a lock on its way.
        seen = 0
        while thread != 'now' and seen < 3:
            with open(thread + '/stat') as file: seen = seen + 1 if file.read().rsplit(')', 1)[1].split()[0] == 'S' else 0
            time.sleep(0.0005)
    def die(): os.kill(os.getpid(), signal.SIGKILL)
    def drain(file, count):
        while count > 0: count -= len(os.read(file, min(count, 65536)))
    def refused(call):
        try: call()
        except OSError as error: return error.errno
        return 0
    def check(result):
        if result < 0: raise OSError(ctypes.get_errno(), 'failed')
        return result
    for line in sys.stdin:
        thread, statement = line.rstrip('\\n').split(' ', 1)
        asleep()
        exec(statement)
        print('done', flush=True)
    """

extension PeerProcess {
    /// A program in Python that does what it is told, a statement at a time: now, or as soon as a thread of this process sleeps.
    convenience init(obeying descriptors: [(FileDescriptor, CInt)] = []) throws {
        try self.init(python: obedient, descriptors: descriptors)
    }

    /// Lets it do something, and waits until that is done.
    func does(_ statement: String) async throws {
        try begins(statement)
        try await isDone()
    }

    /// Lets it begin something.
    func begins(_ statement: String) throws { try send("now \(statement)") }

    func isDone() async throws { try await expect("done") }

    /// Lets it do something as soon as the calling thread sleeps: what comes next here is to be a call that waits. A task's wait is no thread's: there it does it now.
    func releases(_ form: WaitingForm = .bare, by statement: String) throws {
        try send("\(form == .task ? "now" : "/proc/\(ProcessIdentity.current().pid)/task/\(ThreadID.current)") \(statement)")
    }

    /// Lets it begin something that waits, and waits until it does.
    func waits(in statement: String) async throws {
        try begins("print('waiting', flush=True); \(statement)")
        try await expect("waiting")
        try await sleeps()
    }

    /// What an expression is there.
    func value(of expression: String) async throws -> String {
        try begins("print(\(expression), flush=True)")
        let found = try await line()
        try await isDone()
        return found
    }

    func number(of expression: String) async throws -> Int { try #require(Int(try await value(of: "int(\(expression))"))) }

    /// Kills it, and waits for its end.
    func isKilled() async throws {
        kill()
        _ = try await ending()
    }
}

// Each form of a call, for tests that have all of them as their argument.

func write<W: ByteWriting & ~Copyable>(_ end: borrowing W, _ bytes: [UInt8], _ form: WaitingForm) async throws(FacilityError) {
    switch form {
    case .bare: try blockingWrite(end, bytes)
    case .deadline: try blockingWrite(end, bytes, until: .after(watchdog))
    case .task: try await end.write(bytes.span)
    }
}

func read<R: ByteReading & ~Copyable>(_ end: borrowing R, _ count: Int, _ form: WaitingForm) async throws(FacilityError) -> [UInt8] {
    switch form {
    case .bare: return try blockingRead(end, count)
    case .deadline: return try blockingRead(end, count, until: .after(watchdog))
    case .task: return try await read(end, count)
    }
}

func send<C: MessageChannel & ~Copyable>(_ channel: borrowing C, _ message: [UInt8], _ form: WaitingForm) async throws(FacilityError) {
    switch form {
    case .bare: try blockingSend(channel, message)
    case .deadline: try blockingSend(channel, message, until: .after(watchdog))
    case .task: try await channel.send(message.span)
    }
}

func receive<C: MessageChannel & ~Copyable>(
    _ channel: borrowing C, _ count: Int, _ form: WaitingForm
) async throws(FacilityError) -> [UInt8] {
    switch form {
    case .bare: return try blockingReceive(channel, count)
    case .deadline: return try blockingReceive(channel, count, until: .after(watchdog))
    case .task: return try await receive(channel, count)
    }
}

/// Writes until nothing goes any more; returns how many bytes went.
func fillAtOnce<W: ByteWriting & ~Copyable>(_ end: borrowing W) throws(FacilityError) -> Int {
    let part = [UInt8].pattern(4096)
    var sent = 0
    while let count = try end.tryWrite(part.span) { sent += count }
    return sent
}

/// Sends messages of one byte until none goes any more; returns how many went.
func fillWithMessages<C: MessageChannel & ~Copyable>(_ channel: borrowing C) throws(FacilityError) -> Int {
    var sent = 0
    while try channel.trySend([1].span) { sent += 1 }
    return sent
}

extension UnixSocketPair where Socket: ~Copyable {
    /// The first socket; the second one is a child's now.
    consuming func keepFirst() throws -> Socket { Socket(owning: try first.descriptor.duplicate()) }
}
