import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Deaths and who is told")
struct DeathTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private var place: [String] { [directory.path.string, "s"] }

    /// Starts `command` and returns it with the peer that it has become.
    private func start(_ segment: Segment, _ command: String, _ arguments: [String] = [], wrapper: [String] = []) async throws
        -> (process: PeerProcess, peer: PeerID)
    {
        // Crashes are meant; nobody needs to be shown where.
        let process = try PeerProcess(command, place + arguments, wrapper: wrapper, environment: ["SWIFT_BACKTRACE": "enable=no"])
        let line = try await process.line()
        return (process, try #require(segment.peers.first { line == "joined \($0.id)" }?.id))
    }

    @Test("L2 L4 a death of any cause is told once to each survivor, also before anybody has reaped the dead")
    func causes() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        var others: [PeerProcess] = []
        for _ in 0..<2 { others.append(try await start(segment, "watch").process) }
        let causes = [
            "exit", "_exit", "abort", "fault", "terminate", "kill", "exec", "exec from another thread",
        ]
        for cause in causes {
            let (victim, peer) = try await start(segment, "die", [cause])
            try victim.send("now")
            // Each is told of this death next: had the one before been told twice, that would come first.
            let notice = try await deaths.next()
            #expect(notice.peer == peer && notice.pid == victim.pid && notice.program == "TestPeer" && notice.held == [], "\(cause)")
            for other in others { try await other.expect("death \(peer)") }
            #expect(segment.peers.count == 3, "\(cause)")
            // Not reaped yet; the program that has taken the process over lives.
            #expect(Glibc.kill(victim.pid, 0) == 0, "\(cause)")
        }
        #expect(segment.deathCount == UInt32(causes.count))
    }

    @Test("L2 a process that the kernel kills for want of memory", .enabled(if: MemoryGroup.isPossible, "needs a memory cgroup of its own"))
    func outOfMemory() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        let group = try MemoryGroup(limit: 48 << 20)
        let (victim, peer) = try await start(segment, "die", ["out of memory"], wrapper: group.wrapper)
        try victim.send("now")
        #expect(try await deaths.next().peer == peer)
        #expect(try await victim.ending() == .signalled(Signal.kill))
    }

    @Test("L2 a death is told before the dead process's memory is torn down, whatever its size")
    func largeMemory() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        // The memory takes much longer to tear down than a notice does. On a busy machine this process may be late all the same: so several tries.
        var wasThere = false
        for _ in 0..<20 where !wasThere {
            let (victim, peer) = try await start(segment, "die", ["kill", "256"])
            let process = try ProcessDescriptor(opening: victim.pid)
            try victim.send("now")
            let notice = try await deaths.next()
            wasThere = try !process.hasEnded()
            #expect(notice.peer == peer)
        }
        #expect(wasThere, "the notice came only after the process was gone, each time")
    }

    @Test("L2 who waits for a death sleeps: no thread wakes up while nobody dies, and no process helps")
    func noPolling() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let (watcher, _) = try await start(segment, "watch")
        let (neighbour, _) = try await start(segment, "attach")
        let quiet = Duration.milliseconds(300)
        // Starting and joining go on for a moment; then nothing happens. One that polls is never quiet for so long.
        var before = try wakeUps(of: watcher.pid)
        try await eventually("no thread of the watcher wakes up") {
            sleepThread(for: quiet)
            let now = try wakeUps(of: watcher.pid)
            defer { before = now }
            return now == before
        }
        #expect(try children(of: watcher.pid) == "")
        withExtendedLifetime(neighbour) {}
    }

    @Test("L4 L2 a stopped process is not dead: waiting for it ends at the deadline; killed while it is stopped, it is")
    func stopped() async throws {
        let options = QueueOptions(directory: directory.objects)
        var sender = try Sender<UInt64>(to: "there", capacity: 16, options: options)
        var receiver = try Receiver<UInt64>(from: "back", options: options)
        let echo = try PeerProcess("queue-echo", [directory.path.string])
        try await echo.expect("ready")
        try await sender.send(1)
        let first = try await receiver.receive(until: .after(watchdog))
        #expect(first == 1)
        echo.signal(Signal.stop)
        try await eventually("the process is stopped") { try processState(echo.pid) == "T" }
        expectNotReceived(.deadline) { () throws(ReceiveError) in _ = try receiver.receive(until: .after(.milliseconds(20))) }
        var reason: SendFailure?
        var sent: UInt64 = 1
        while reason == nil {
            reason = sendFailure { () throws(SendError<UInt64>) in try sender.send(2, until: .after(.milliseconds(20))) }
            if reason == nil { sent += 1 }
        }
        #expect(reason == .deadline)
        expectNotSent(.deadline) { () throws(SendError<Void>) in try sender.waitUntilReceived(until: .after(.milliseconds(20))) }
        #expect(receiver.waitForSender(until: .now) && sender.waitForReceiver(until: .now), "it still has its roles")
        #expect(receiver.segment.deathCount == 0 && receiver.segment.peers.allSatisfy(\.isAlive))
        echo.signal(Signal.continue)
        for _ in 1..<sent {
            let number = try await receiver.receive(until: .after(watchdog))
            #expect(number == 2)
        }
        echo.signal(Signal.stop)
        try await eventually("the process is stopped") { try processState(echo.pid) == "T" }
        echo.kill()
        let end = receiveFailure { () throws(ReceiveError) in _ = try receiver.receive(until: .after(watchdog)) }
        guard case .peerDied(let notice)? = end else { throw TestFailure("\(String(describing: end))") }
        #expect(notice.pid == echo.pid)
    }

    @Test("L4 a survivor that was stopped while others died is told when it goes on")
    func stoppedSurvivor() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        let (sleeper, _) = try await start(segment, "watch")
        let (victim, peer) = try await start(segment, "attach")
        sleeper.signal(Signal.stop)
        try await eventually("the survivor is stopped") { try processState(sleeper.pid) == "T" }
        victim.kill()
        #expect(try await deaths.next().peer == peer, "the other survivor does not depend on it")
        sleeper.signal(Signal.continue)
        try await sleeper.expect("death \(peer)")
    }

    @Test("L4 each call of deaths is a stream of its own, from then on, and ends with the segment")
    func streams() async throws {
        var segment: Segment? = try Segment.create("s", size: 8, in: directory.objects)
        let early = DeathLog(try #require(segment))
        let (first, firstPeer) = try await start(try #require(segment), "attach")
        first.kill()
        #expect(try await early.next().peer == firstPeer)
        let late = DeathLog(try #require(segment))
        let (second, secondPeer) = try await start(try #require(segment), "attach")
        second.kill()
        #expect(try await early.next().peer == secondPeer)
        #expect(try await late.next().peer == secondPeer, "not of the deaths before")
        segment = nil
        #expect(try await early.rest() == [])
        #expect(try await late.rest() == [])
    }

    @Test("L2 L4 of many survivors each is told of each of many deaths at once, also past what one call of the kernel can watch")
    func crowd() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects, maximumPeers: 256)
        let deaths = DeathLog(segment)
        let crowd = try PeerProcess("crowd", place + ["150"])
        for _ in 0..<150 { _ = try await crowd.line() }
        let members = segment.peers.filter { $0.id != segment.peer }.sorted { $0.id.slot > $1.id.slot }
        #expect(members.count == 150)
        var watchers: [PeerProcess] = []
        for _ in 0..<6 { watchers.append(try await start(segment, "watch").process) }
        let survivors = Set(segment.peers.map(\.id)).subtracting(members.map(\.id))
        #expect(survivors.count == 7)
        // The last slots first, whose words are past the first 128: nobody hears of these by way of another's death.
        for batch in [members[..<1], members[1..<16], members[16..<46]] {
            try crowd.send(batch.map { "\($0.pid)" }.joined(separator: " "))
            try await crowd.expect("killed")
            var told: [PeerID] = []
            for _ in batch { told.append(try await deaths.next().peer) }
            #expect(Set(told) == Set(batch.map(\.id)), "each once")
            for watcher in watchers {
                var heard: Set<String> = []
                for _ in batch { heard.insert(try await watcher.line()) }
                #expect(heard == Set(batch.map { "death \($0.id)" }))
            }
        }
        // More at once than there are records: all are counted, and what is told is right.
        let rest = members[46...]
        try crowd.send(rest.map { "\($0.pid)" }.joined(separator: " "))
        try await crowd.expect("killed")
        try await eventually("all are given back") { Set(segment.peers.map(\.id)) == survivors }
        #expect(segment.deathCount == 150)
        var untold = Set(rest.map(\.id))
        for _ in 0..<31 {
            let notice = try await deaths.next()
            #expect(untold.remove(notice.peer) != nil, "\(notice) was told twice, or lives")
        }
    }
}

// MARK: what the kernel says of a process

private func read(_ path: String) throws -> String {
    let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
    return try file.closeAfter {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}

/// "R", "S", "T" for stopped …
func processState(_ pid: Int32) throws -> Substring? {
    try read("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ").first
}

/// How often each thread of the process has gone to sleep so far, by thread.
private func wakeUps(of pid: Int32) throws -> [String: Substring] {
    var counts: [String: Substring] = [:]
    for thread in try Directory(opening: FilePath("/proc/\(pid)/task")).names() {
        let lines = try read("/proc/\(pid)/task/\(thread)/status").split(separator: "\n")
        counts[thread] = lines.first { $0.hasPrefix("voluntary_ctxt_switches") }
    }
    return counts
}

private func children(of pid: Int32) throws -> String {
    try Directory(opening: FilePath("/proc/\(pid)/task")).names().map { try read("/proc/\(pid)/task/\($0)/children") }.joined()
}

/// A cgroup whose processes may use so much memory, and no more.
final class MemoryGroup: Sendable {
    private static let candidates = [
        (root: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes"), (root: "/sys/fs/cgroup", limit: "memory.max"),
    ]
    private let path: String

    static var isPossible: Bool { (try? MemoryGroup(limit: 64 << 20)) != nil }

    init(limit: Int) throws {
        for (root, file) in Self.candidates {
            let path = "\(root)/interprocess-test-\(getpid())-\(String(randomUInt64(), radix: 36))"
            guard unsafe mkdir(path, 0o755) == 0 else { continue }
            guard let descriptor = try? FileDescriptor.open(FilePath("\(path)/\(file)"), .writeOnly, options: .closeOnExec),
                (try? descriptor.closeAfter { try descriptor.writeAll("\(limit)".utf8) }) != nil
            else {
                unsafe rmdir(path)
                continue
            }
            self.path = path
            return
        }
        throw Errno.notSupported
    }

    /// Starts a program in the group.
    var wrapper: [String] { ["/bin/sh", "-c", "echo $$ > \(path)/cgroup.procs && exec \"$@\"", "sh"] }

    deinit { unsafe rmdir(path) }
}
