import CCrashLab
import InterprocessSystem
import SystemPackage

/// A process that a worker has forked. Killed when its owner ends.
final class Child {
    let pid: Int32
    let actor: Actor
    private var status: Int32?

    /// Forks this process, which has one thread, and runs `body` in the child. What it throws becomes the actor's text.
    init(_ actor: Actor, _ body: @escaping () throws -> Void) {
        actor.clear()
        let box = unsafe Unmanaged.passRetained(Body(actor, body))
        let pid = unsafe cl_fork({ unsafe Body.run($0) }, box.toOpaque())
        precondition(pid > 0, "no process could be forked: errno \(-pid)")
        unsafe box.release()
        self.pid = pid
        self.actor = actor
        status = nil
    }

    deinit { if status == nil { Self.end(pid) } }

    private static func end(_ pid: Int32) {
        cl_kill(pid, Signal.kill)
        var status: Int32 = 0
        unsafe _ = cl_reap(pid, 1, &status)
    }

    func kill() { if status == nil { cl_kill(pid, Signal.kill) } }

    /// How it has ended, as a shell says it; nil while it runs.
    func ending() -> Int32? {
        if let status { return status }
        var found: Int32 = 0
        guard unsafe cl_reap(pid, 0, &found) == pid else { return nil }
        status = found
        return found
    }

    /// Waits until it has ended.
    func awaitEnding(until deadline: MonotonicInstant) -> Int32? {
        while true {
            if let status = ending() { return status }
            guard MonotonicInstant.now < deadline || isStarved, let process = try? ProcessDescriptor(opening: pid) else { return ending() }
            _ = try? process.wait(until: max(deadline, .now.advanced(by: .milliseconds(20))))
        }
    }

    /// Waits until it has come to one of these milestones, or has ended (nil).
    func await(_ milestones: [Actor.Milestone], until deadline: MonotonicInstant) throws -> Actor.Milestone? {
        while true {
            let reached = actor.reached
            if milestones.contains(reached) { return reached }
            if reached == .failed { throw Violation(actor.text) }
            if ending() != nil { return milestones.contains(actor.reached) ? actor.reached : nil }
            guard MonotonicInstant.now < deadline || isStarved else { throw Hang(activity) }
            actor.awaitMilestone(after: reached, for: .milliseconds(20))
        }
    }

    /// Whether its working thread sleeps in the kernel's futex calls, or waits for a file lock.
    var isAsleep: Bool { systemCall.map { text in ["202 ", "449 ", "72 ", "73 "].contains { text.hasPrefix($0) } } ?? false }

    /// Whether all its threads wait: in a futex, for a file lock, for a signal, or for a moment to look again. One of them alone may wait for another.
    var isBlocked: Bool {
        guard let threads = try? Directory(opening: FilePath("/proc/\(pid)/task")).names(), !threads.isEmpty else { return false }
        return threads.allSatisfy { thread in
            smallFile("/proc/\(pid)/task/\(thread)/syscall").map { text in
                ["202 ", "449 ", "72 ", "73 ", "230 ", "34 "].contains { text.hasPrefix($0) }
            }
                ?? false
        }
    }

    /// Whether it would go on if it got a processor: it sleeps nowhere, and has had less time than anything here needs. On a busy machine that is no hang.
    var isStarved: Bool {
        guard let stat = smallFile("/proc/\(pid)/stat"), let close = stat.lastIndex(of: ")"), !isBlocked else { return false }
        // The 14th and 15th field, counted from the third: clock ticks of ten milliseconds.
        let fields = stat[close...].split(separator: " ")
        guard fields.count > 13, fields[1] != "Z", let user = Int(fields[12]), let system = Int(fields[13]) else { return false }
        return user + system < 100
    }

    /// What the kernel says of the system call that the working thread is in.
    private var systemCall: String? { smallFile("/proc/\(pid)/task/\(actor.threadID)/syscall") }
}

/// Something that should have gone on has not.
struct Hang: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = "HANG: \(description)" }
}

private final class Body {
    let actor: Actor
    let body: () throws -> Void

    init(_ actor: Actor, _ body: @escaping () throws -> Void) {
        self.actor = actor
        self.body = body
    }

    static func run(_ context: UnsafeMutableRawPointer?) {
        guard let context = unsafe context else { return }
        let box = unsafe Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
        box.actor.begin()
        do {
            try box.body()
            box.actor.reach(.ended)
        } catch {
            box.actor.fail(error)
        }
    }
}

func smallFile(_ path: String, limit: Int = 1024) -> String? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
    defer { try? file.close() }
    // Files of /proc come in pieces.
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: min(limit, 4096))
    while text.count < limit, let count = try? unsafe buffer.withUnsafeMutableBytes({ try unsafe file.read(into: $0) }), count > 0 {
        text += buffer[..<count]
        if limit <= 4096 { break }
    }
    return String(decoding: text, as: UTF8.self)
}
