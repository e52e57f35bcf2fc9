import CTestSystem
import Glibc
import InterprocessSystem
import SystemPackage

/// A process of one thread that forks the processes of a test: a tenth of what starting a program costs. The library is first used in the children.
///
/// One command a line on standard input, one answer a line on standard output:
///
///     start ⇥ ARGUMENT ⇥ …     the child's pid
///     kill ⇥ PID               "done" when it is gone
///     wait ⇥ PID ⇥ MILLISECONDS   "exited N", "signalled N" or "running"
///     end                      kills all that are left, as does the end of the input
enum ForkServer {
    private static var children: Set<pid_t> {
        get { unsafe storage }
        set { unsafe storage = newValue }
    }
    nonisolated(unsafe) private static var storage: Set<pid_t> = []

    static func run() throws {
        // Children have this from their parent; one that has threads already would wait for the kernel, milliseconds for each.
        try? ProcessBarrier.register()
        while let line = readLine(), line != "end" {
            let words = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            switch words[0] {
            case "start": try answer("\(start(Array(words.dropFirst())))")
            case "kill":
                let pid = number(words[1])
                Glibc.kill(pid, SIGKILL)
                _ = ended(pid, options: 0)
                try answer("done")
            case "wait": try answer(wait(for: number(words[1]), milliseconds: Int(number(words[2]))))
            default: preconditionFailure("the fork server knows no command '\(line)'")
            }
        }
        for child in children { Glibc.kill(child, SIGKILL) }
    }

    private static func number(_ text: String) -> pid_t {
        guard let number = pid_t(text) else { preconditionFailure("'\(text)' is no number") }
        return number
    }

    private static func answer(_ text: String) throws {
        _ = try FileDescriptor.standardOutput.writeAll(Array((text + "\n").utf8))
    }

    private static func start(_ arguments: [String]) -> pid_t {
        let server = getpid()
        let pid = test_fork_plain()
        precondition(pid >= 0, "fork failed")
        if pid > 0 {
            children.insert(pid)
            return pid
        }
        // Whatever becomes of the test, nothing goes on working.
        guard endWithParent(server, by: SIGKILL) else { exit(70) }
        replaceByNullDevice(.standardInput)
        replaceByNullDevice(.standardOutput)
        // On a thread of its own: the Swift runtime knows this one by the thread id that it had before the fork (CAVEATS).
        unsafe childArguments = arguments
        var thread = pthread_t()
        let status = unsafe pthread_create(&thread, nil, { _ in ForkServer.runChild() }, nil)
        precondition(status == 0, "a child of one thread can have another")
        pthread_join(thread, nil)
        exit(70)
    }

    nonisolated(unsafe) private static var childArguments: [String] = []

    private static func runChild() -> Never {
        let arguments = unsafe childArguments
        do {
            try runTopic(arguments)
            exit(0)
        } catch {
            _ = try? FileDescriptor.standardError.writeAll(Array("TestPeer \(arguments): \(error)\n".utf8))
            exit(1)
        }
    }

    /// How the child has ended; nil if it runs.
    private static func ended(_ pid: pid_t, options: CInt) -> String? {
        var status: CInt = 0
        guard unsafe waitpid(pid, &status, options) == pid else { return nil }
        children.remove(pid)
        return status & 0x7f == 0 ? "exited \(status >> 8 & 0xff)" : "signalled \(status & 0x7f)"
    }

    private static func wait(for pid: pid_t, milliseconds: Int) -> String {
        let limit = MonotonicInstant.now.advanced(by: .milliseconds(milliseconds))
        while true {
            if let text = ended(pid, options: WNOHANG) { return text }
            if MonotonicInstant.now >= limit { return "running" }
            sleepThread(for: .microseconds(100))
        }
    }
}
