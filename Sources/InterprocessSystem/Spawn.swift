import CInterprocess
import Glibc
public import SystemPackage

/// A program that this process has started.
public struct ChildProcess: ~Copyable, Sendable {
    /// How a process ended.
    public enum Ending: Sendable, Equatable {
        /// With this exit status.
        case exited(Int32)
        /// By this signal.
        case signalled(Int32)
    }

    public let pid: Int32
    private var ending: Ending?

    /// Starts the program at `path`.
    ///
    /// The child begins with no signal blocked and with default actions for all of them, whatever the caller's thread had, and with no
    /// descriptors but those named.
    /// The corresponding C function is `posix_spawn`.
    ///
    /// - Parameters:
    ///   - arguments: what follows the program's name.
    ///   - descriptors: (ours, the child's number). Standard input, output and error are inherited unless they are named here.
    ///   - environment: changes to this process's environment.
    ///   - terminal: the path of a terminal that becomes standard input, output and error of the child, unless they are named in `descriptors`, and the controlling
    ///     terminal of a session that begins with it. See ``Pseudoterminal``.
    public init(
        starting path: FilePath, arguments: [String], descriptors: [(FileDescriptor, CInt)] = [], environment: [String: String] = [:],
        terminal: FilePath? = nil
    ) throws(Errno) {
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        let session = terminal == nil ? 0 : ipc_spawn_new_session
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | session))

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // In two rounds, by way of numbers that nobody wants, so that no target overwrites a source still to come.
        let wanted = Set(descriptors.flatMap { [$0.0.rawValue, $0.1] })
        let free = (3...).lazy.map { CInt($0) }.filter { !wanted.contains($0) }.prefix(descriptors.count)
        var failure: CInt = 0
        /// A number that no descriptor can have is refused, and would be left out.
        func duplicate(_ number: CInt, to target: CInt) {
            let status = unsafe posix_spawn_file_actions_adddup2(&actions, number, target)
            if failure == 0 { failure = status }
        }
        for ((ours, _), place) in zip(descriptors, free) { duplicate(ours.rawValue, to: place) }
        if let terminal {
            // The first terminal that the leader of a session opens becomes its controlling one.
            unsafe terminal.withPlatformString { _ = unsafe posix_spawn_file_actions_addopen(&actions, 0, $0, O_RDWR, 0) }
            for number in [1, 2] as [CInt] { duplicate(0, to: number) }
        }
        for ((_, theirs), place) in zip(descriptors, free) { duplicate(place, to: theirs) }
        if failure != 0 { throw Errno(rawValue: failure) }
        // All others: those just used, and what a library of somebody else's has left open without close-on-exec.
        let kept = Set(descriptors.map(\.1))
        let end = max(3, (kept.max() ?? 2) + 1)
        for number in 3..<end where !kept.contains(number) { unsafe posix_spawn_file_actions_addclose(&actions, number) }
        unsafe ipc_spawn_close_from(&actions, end)

        var variables: [String] = environment.map { "\($0.key)=\($0.value)" }
        var inherited = unsafe ipc_environment()
        while let entry = unsafe inherited?.pointee {
            let text = unsafe String(cString: entry)
            if environment[String(text.prefix { $0 != "=" })] == nil { variables.append(text) }
            unsafe inherited = inherited! + 1
        }

        // What the child is called by: its program's own name also where the path is the link to it.
        let name = path == ChildProcess.currentProgram ? ProcessIdentity.currentProgramName : path.string
        var pid: pid_t = 0
        try unsafe withCStrings([name] + arguments) { argv throws(Errno) -> Void in
            try unsafe withCStrings(variables) { envp throws(Errno) -> Void in
                try systemCall("posix_spawn") {
                    unsafe -Int(path.withPlatformString { unsafe posix_spawn(&pid, $0, &actions, &attributes, argv, envp) })
                }
            }
        }
        self.pid = pid
    }

    /// The program that is running. Works also after its file was replaced.
    public static var currentProgram: FilePath { "/proc/self/exe" }

    /// Sends a signal to the child; nothing happens if it has been reaped. The corresponding C function is `kill`.
    public func send(signal: Int32) {
        if ending == nil { kill(pid, signal) }
    }

    /// Waits until the child has ended and says how. The corresponding C function is `waitpid`.
    public mutating func wait() throws(Errno) -> Ending {
        if let ending { return ending }
        var status: CInt = 0
        try systemCall("waitpid") { unsafe resultOrErrno(waitpid(pid, &status, 0)) }
        return reaped(status)
    }

    /// How the child has ended; nil while it runs.
    public mutating func poll() throws(Errno) -> Ending? {
        if let ending { return ending }
        var status: CInt = 0
        let found = try systemCall("waitpid") { unsafe resultOrErrno(waitpid(pid, &status, WNOHANG)) }
        return found == 0 ? nil : reaped(status)
    }

    private mutating func reaped(_ status: CInt) -> Ending {
        let result: Ending =
            ipc_wait_status_exited(status) != 0 ? .exited(ipc_wait_status_exit_code(status)) : .signalled(ipc_wait_status_signal(status))
        ending = result
        return result
    }
}

private func withCStrings<R>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) throws(Errno) -> R
) throws(Errno) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) } + [nil]
    defer { unsafe pointers.forEach { unsafe free($0) } }
    let base = unsafe UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: pointers.count)
    defer { unsafe base.deallocate() }
    unsafe base.initialize(from: &pointers, count: pointers.count)
    return try unsafe body(base)
}
