internal import Interprocess
import InterprocessSystem
import SystemPackage

extension Child {
    /// Waits until the child, which has said that it is about to, sleeps in a futex: seen twice, so that it is not on its way in or out.
    func awaitSleep(until deadline: MonotonicInstant) throws {
        var seen = 0
        while seen < 2 {
            if actor.reached == .failed { throw Violation(actor.text) }
            if ending() != nil { throw Violation("a process that was to sleep ended with status \(ending() ?? 0)") }
            guard MonotonicInstant.now < deadline else { throw Hang("a process that was to sleep does not: \(activity)") }
            seen = isAsleep ? seen + 1 : 0
            sleepThread(for: .microseconds(50))
        }
    }

    /// Waits until the third process has done what it can before the victim is killed: it says so, or ends, or sleeps.
    func awaitPauseOrSleep(until deadline: MonotonicInstant) throws {
        var asleep = 0
        while asleep < 3 {
            switch actor.reached {
            case .paused, .ended: return
            case .failed: throw Violation("the third process: \(actor.text)")
            default: break
            }
            if let status = ending(), actor.reached != .ended { throw Violation("the third process ended with status \(status)") }
            guard MonotonicInstant.now < deadline else { throw Hang("the third process: \(activity)") }
            actor.awaitMilestone(after: actor.reached, for: .microseconds(200))
            asleep = isBlocked ? asleep + 1 : 0
        }
    }

    /// Waits until the sleeper sleeps.
    func sleeps(until deadline: MonotonicInstant) throws {
        guard try self.await([.sleeping], until: deadline) != nil else { throw Violation("a sleeper ended before it slept") }
        try awaitSleep(until: deadline)
    }

    /// Waits until all its threads have been stopped by a signal.
    func awaitStopped(until deadline: MonotonicInstant) throws {
        while !threads.allSatisfy({ state(of: $0) == "T" }) {
            if let status = ending() { throw Violation("a process that was to stop ended with status \(status)") }
            guard MonotonicInstant.now < deadline else { throw Hang("a process that was to stop does not: \(activity)") }
            sleepThread(for: .microseconds(50))
        }
    }

    /// Waits until its working thread has ended.
    func awaitThreadEnd(until deadline: MonotonicInstant) throws {
        while threads.contains("\(actor.threadID)") {
            guard MonotonicInstant.now < deadline else { throw Hang("a thread that was to end does not: \(activity)") }
            sleepThread(for: .microseconds(50))
        }
    }

    private var threads: [String] { (try? Directory(opening: FilePath("/proc/\(pid)/task")).names()) ?? [] }

    private func state(of thread: String) -> Substring? {
        smallFile("/proc/\(pid)/task/\(thread)/stat").flatMap { stat in
            stat.lastIndex(of: ")").flatMap { stat[$0...].split(separator: " ").dropFirst().first }
        }
    }
}
