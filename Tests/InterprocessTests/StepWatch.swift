import Glibc
import InterprocessSystem
import QueueTestSupport
import Synchronization
import SystemPackage
import TestSupport

/// What a thread is doing at one moment, and how much it has done.
struct ThreadLook: Equatable, CustomStringConvertible {
    let id: String
    let name: String
    /// As in `/proc/PID/stat`: R runs or could, S sleeps until somebody wakes it.
    let state: String
    /// Clock ticks of processor time.
    let ticks: Int
    /// How often it has gone to sleep, or had to make way for another.
    let switches: [String]
    let call: String

    var description: String {
        "thread \(id) \(name): \(state), \(ticks) ticks, \(switches.joined(separator: "+")) switches, in call \(call)"
    }

    /// Nil if there is no such thread any more.
    init?(_ process: String, _ id: String) {
        let path = "/proc/\(process)/task/\(id)/"
        guard let stat = Self.text(path + "stat"), let status = Self.text(path + "status"),
            let open = stat.firstIndex(of: "("), let close = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        guard fields.count > 12 else { return nil }
        self.id = id
        name = String(stat[stat.index(after: open)..<close])
        state = String(fields[0])
        ticks = (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
        switches = status.split(separator: "\n").filter { $0.contains("ctxt_switches") }.compactMap {
            $0.split(separator: "\t").last.map(String.init)
        }
        call = Self.text(path + "syscall").map { String($0.prefix { $0 != "\n" }) } ?? "?"
    }

    static func all(of process: Int32) throws -> [ThreadLook] { try all(of: "\(process)") }

    /// The library's own threads of this process.
    static func keepers() throws -> [ThreadLook] { try all(of: "self").filter { $0.name.hasPrefix("ipc-") } }

    private static func all(of process: String) throws -> [ThreadLook] {
        guard let directory = try? Directory(opening: FilePath("/proc/\(process)/task")) else { return [] }
        return ((try? directory.names()) ?? []).sorted().compactMap { ThreadLook(process, $0) }
    }

    private static func text(_ path: String) -> String? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
        defer { try? file.close() }
        var buffer = [UInt8](repeating: 0, count: 4096)
        guard let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe file.read(into: $0) }) else { return nil }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}

/// Tells what hangs from what is late: threads hang when all that could go on are asleep and none of them has run since. One that has been woken, and waits for a processor, is not
/// asleep. Only sleeps for a time, which the library has none longer than 100 ms of, would look the same: hence several looks.
struct Stillness {
    private static let pause = Duration.milliseconds(100)
    private static let looks = 30

    private var last: [ThreadLook] = []
    private var next = MonotonicInstant.now
    private var count = 0

    mutating func lasts(_ threads: [ThreadLook]) -> Bool {
        guard threads != last || !threads.allSatisfy({ $0.state == "S" }) else {
            if MonotonicInstant.now >= next {
                count += 1
                next = .now.advanced(by: Self.pause)
            }
            return count >= Self.looks
        }
        (last, count) = (threads, 0)
        return false
    }
}

/// Ends the test run when the survivor hangs in a call: it and this process's keeper sleep and nothing happens, or it runs without end. What is merely late is waited for.
final class StepWatch: Sendable {
    private struct Phase {
        let what: String
        let thread: String
        let ticks: Int
    }

    /// Thousands of times what the calls need.
    private static let mostTicks = 10 * sysconf(CInt(_SC_CLK_TCK))

    private let label: String
    private let phase = Mutex<Phase?>(nil)
    private let isEnded = Atomic<Bool>(false)

    init(_ label: String) throws {
        self.label = label
        try startServiceThread(named: "step-watch") { self.run() }
    }

    deinit { end() }

    func end() { isEnded.store(true, ordering: .releasing) }

    /// Does `body` on this thread, watched.
    func watched<R>(_ what: String, _ body: () throws -> R) rethrows -> R {
        let thread = "\(ThreadID.current)"
        phase.withLock { $0 = Phase(what: what, thread: thread, ticks: ThreadLook("self", thread)?.ticks ?? 0) }
        defer { phase.withLock { $0 = nil } }
        return try body()
    }

    private func run() {
        var stillness = Stillness()
        while !isEnded.load(ordering: .acquiring) {
            sleepThread(for: .milliseconds(100))
            guard let now = phase.withLock({ $0 }), let thread = ThreadLook("self", now.thread) else { continue }
            let threads = [thread] + ((try? ThreadLook.keepers()) ?? [])
            guard stillness.lasts(threads) || thread.ticks - now.ticks > Self.mostTicks else { continue }
            let text = "HANG: \(label), \(now.what), IPC_SEED=\(SeededRandom.runSeed): \(threads)\n"
            _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
            // Not by a signal, of which a report would be made for minutes.
            _exit(70)
        }
    }
}
