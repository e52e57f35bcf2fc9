import CCrashLab
public import Interprocess
import InterprocessSystem
import SystemPackage

/// The process that is killed.
@safe
public final class Victim {
    public let site: Site
    /// Which of several victims this is (``Scenario/victims``), from 0.
    public let index: Int
    /// `never`, except where shared bytes are overwritten: what waits must come back then, whatever they say.
    public var deadline: Deadline { isScribbled ? .after(.milliseconds(3)) : .never }

    private let scenario: Scenario
    private let plan: cl_plan?
    private let report: UnsafeMutablePointer<cl_report>
    private let actor: Actor
    private let isGated: Bool
    /// Whether system calls are counted, and not instructions.
    private let countsCalls: Bool
    /// Whether shared bytes are overwritten, or the operation is stepped through before that.
    private let isScribbled: Bool

    /// - Parameters:
    ///   - plan: nil: the operation is run without steps.
    ///   - isGated: whether it waits for an order before its operation.
    init(
        _ site: Site, _ scenario: Scenario, plan: cl_plan?, _ report: UnsafeMutablePointer<cl_report>, _ actor: Actor, index: Int = 0,
        isGated: Bool,
        countsCalls: Bool = false, isScribbled: Bool = false
    ) {
        self.site = site
        self.index = index
        self.scenario = scenario
        self.plan = plan
        unsafe self.report = report
        self.actor = actor
        self.isGated = isGated
        self.countsCalls = countsCalls
        self.isScribbled = isScribbled
    }

    private var isFaulted: Bool {
        plan.map { [CL_FAULT, CL_INTERRUPT].map { Int32($0.rawValue) }.contains($0.deed) } ?? false || countsCalls
    }
    private var isScheduled: Bool { plan?.deed == Int32(CL_SCHEDULE.rawValue) }

    /// What begins the steps, until a task of the operation does.
    nonisolated(unsafe) private static var pending: (() throws -> Void)?
    nonisolated(unsafe) private static var isInTask = false

    /// Of a task, on the thread that called ``step(inTask:_:)``: from here on it is stepped, if that is still to begin.
    public static func beginSteps() throws {
        guard let begin = unsafe pending else { return }
        unsafe (pending, isInTask) = (nil, true)
        try begin()
    }

    /// Of the same task, when the operation is over: ends what ``beginSteps()`` has begun, if it has.
    public static func endSteps() {
        if unsafe isInTask { cl_step_end() }
    }

    /// Runs `body`, the operation, in the middle of which this process is killed. One that comes to its end kills itself then: in no case does anything of the closure's
    /// end in good order.
    ///
    /// - Parameter inTask: whether the steps begin and end in a task of `body`, by ``beginSteps()`` and ``endSteps()``: how a task is made and run is not the operation's.
    public func step(inTask: Bool = false, _ body: () throws -> Void) throws {
        guard var plan else {
            actor.reach(.ready)
            awaitGo()
            try body()
            return finish()
        }
        if isFaulted { return try stepFaulted(&plan, body) }
        if isScheduled {
            try shareMappings()
        } else {
            watchSegments()
            // It is to fall asleep, however slowly it comes to that; then it is roused.
            NextCall.looksAgain(afterMilliseconds: 3_600_000)
        }
        if scenario.stepsKeeper {
            let keeper = try keeperThread()
            try Self.begun(unsafe cl_step_expect(&plan, report, Int32(bitPattern: keeper.thread), keeper.stack))
            actor.announce(thread: keeper.thread)
        }
        actor.reach(.ready)
        awaitGo()
        if inTask {
            let (plan, report) = unsafe (plan, report)
            unsafe Self.pending = {
                var plan = plan
                try Self.begun(unsafe cl_step_begin(&plan, report))
            }
        } else if !scenario.stepsKeeper {
            try Self.begun(unsafe cl_step_begin(&plan, report))
        }
        do {
            try body()
            if inTask {
                try Violation.unless(unsafe Self.pending == nil, "no task of the operation has begun to be stepped: it is not asynchronous")
            }
        } catch {
            if !scenario.stepsKeeper { cl_step_end() }
            // Nothing that an operation may say about overwritten bytes is wrong, as long as it says something.
            guard isScribbled else { throw error }
            return finish()
        }
        if !scenario.stepsKeeper { cl_step_end() }
        finish()
    }

    private static func begun(_ status: Int32) throws {
        try Violation.unless(status == 0, "there is no room to record the operation: errno \(-status)")
    }

    /// Says again that it is ready: from now on it may be roused where it sleeps.
    private func awaitGo() {
        guard isGated else { return }
        _ = actor.awaitOrder()
        actor.reach(.ready)
    }

    /// The same with system calls that fail, or are interrupted; at full speed.
    private func stepFaulted(_ plan: inout cl_plan, _ body: () throws -> Void) throws {
        actor.reach(.ready)
        awaitGo()
        let status = unsafe cl_fault_begin(&plan, report)
        try Violation.unless(status == 0, "system calls cannot be made to fail here: errno \(-status)")
        do {
            defer { cl_fault_end() }
            try body()
        } catch {
            // Of an interrupted operation nothing is to be seen; a failed one may say so.
            guard plan.deed == Int32(CL_FAULT.rawValue) else { throw error }
            if scenario.canRepeat {
                do {
                    try body()
                } catch let second {
                    throw Violation("after '\(error)' it cannot be made again: \(second)")
                }
            }
        }
        finish()
    }

    private func watchSegments() {
        for segment in scenario.segments {
            var size = 0
            guard let bytes = unsafe cl_map_file(site.path(segment).string, &size) else { continue }
            unsafe cl_watch(bytes, UInt64(min(size, scenario.watchedBytes)))
        }
    }

    /// The library's own thread, once it is asleep.
    /// The library's own thread, asleep, and where its stack is.
    private func keeperThread() throws -> (thread: UInt32, stack: UInt64) {
        for name in try Directory(opening: "/proc/self/task").names() where smallFile("/proc/self/task/\(name)/comm") == "ipc-keeper\n" {
            while let call = smallFile("/proc/self/task/\(name)/syscall") {
                // The call, its six arguments, the stack and the program counter.
                let fields = call.split(whereSeparator: \.isWhitespace)
                if fields.first == "449", fields.count == 9, let thread = UInt32(name),
                    let stack = UInt64(fields[7].dropFirst(2), radix: 16)
                {
                    return (thread, stack)
                }
                sleepThread(for: .microseconds(50))
            }
        }
        throw Violation("the victim has no keeper yet: open something before")
    }

    /// Tells the stepper where this process has the files of the site. By their inodes: a file that was made without a name keeps none in this list.
    private func shareMappings() throws {
        let directory = try Directory(opening: site.directory.path)
        let inodes = scenario.segments.compactMap { try? directory.status(of: $0)?.inode }
        var count = 0
        for line in smallFile("/proc/self/maps", limit: 1 << 20)?.split(separator: "\n") ?? [] {
            let fields = line.split(separator: " ")
            guard fields.count > 4, let inode = UInt64(fields[4]), inodes.contains(inode) else { continue }
            let numbers = fields[0].split(separator: "-").compactMap { UInt64($0, radix: 16) }
            guard numbers.count == 2 else { continue }
            cl_share(numbers[0], numbers[1])
            count += 1
        }
        try Violation.unless(count > 0, "a player has none of the scenario's segments open: open them before its operation")
    }

    private func finish() {
        actor.reach(.ended)
        // The others of a schedule may need it alive.
        if isScheduled { _ = actor.awaitOrder() }
        if !isScribbled { cl_kill(ProcessIdentity.current().pid, Signal.kill) }
    }
}

/// A process that is there while another is killed.
public struct Bystander: Sendable {
    public let site: Site
    let actor: Actor

    /// To be called right before the call in which this process is to be asleep when the other is killed.
    public func willSleep() { actor.reach(.sleeping) }

    /// Of the one that acts at the point: returns when the victim has been killed.
    public func awaitKill() {
        actor.reach(.paused)
        _ = actor.awaitOrder()
    }

    /// Whether a storm is over, and its processes are to end.
    public var isOver: Bool { site.ledger.overWord.loadAcquire() != 0 }

    /// Ends this process by SIGKILL, with everything that it has open.
    public func die() -> Never {
        actor.reach(.ended)
        cl_kill(ProcessIdentity.current().pid, Signal.kill)
        endProcessAtOnce(status: 70)
    }
}
