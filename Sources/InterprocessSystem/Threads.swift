import CInterprocess
import Glibc
public import SystemPackage

/// The kernel's number of the calling thread, as robust words hold it.
public enum ThreadID {
    /// The corresponding C function is `gettid`.
    public static var current: Int { ipc_gettid() }

    /// Another number that tells the calling thread from all others of this process; without a system call. The corresponding C function is
    /// `pthread_self`.
    public static var cachedCurrent: Int { Int(bitPattern: UInt(pthread_self())) }
}

/// Starts a detached thread that lives as long as the process, with every signal blocked, so that the program's handlers never run on it.
///
/// The corresponding C functions are `pthread_create` and `pthread_sigmask`.
public func startServiceThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    let box = unsafe Unmanaged.passRetained(ThreadBody(name: name, body))
    do throws(Errno) {
        _ = try unsafe createServiceThread(runThreadBody, box.toOpaque())
    } catch {
        unsafe box.release()
        throw error
    }
}

/// Starts a detached thread with every signal blocked.
func createServiceThread(
    _ routine: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer
) throws(Errno) -> pthread_t {
    var all = sigset_t()
    var old = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, &old)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &old, nil) }
    var thread = pthread_t()
    try systemCall("pthread_create") {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
        let status = unsafe pthread_create(&thread, &attributes, routine, context)
        return -Int(status)
    }
    return thread
}

private final class ThreadBody: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    let box = unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue()
    unsafe ipc_set_thread_name(String(box.name.prefix(15)))
    box.body()
    return nil
}

/// Runs `handler` in the child of every `fork` of this process. The corresponding C function is `pthread_atfork`.
public func runInForkedChildren(_ handler: @escaping @convention(c) () -> Void) throws(Errno) {
    try systemCall("pthread_atfork") { -Int(ipc_at_fork_child(handler)) }
}
