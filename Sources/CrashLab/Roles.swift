import CCrashLab
public import Interprocess
import InterprocessSystem
import SystemPackage

/// The process that is killed.
public final class Victim {
    public let site: Site
    /// `never`, except where shared bytes are overwritten: what waits must come back then, whatever they say.
    public var deadline: Deadline { isScribbled ? .after(.milliseconds(3)) : .never }

    private let scenario: Scenario
    private let plan: cl_plan?
    private let board: Board
    private let actor: Actor
    private let isGated: Bool

    /// - Parameters:
    ///   - plan: nil: the operation is run without steps.
    ///   - isGated: whether it waits for an order before its operation.
    init(_ site: Site, _ scenario: Scenario, plan: cl_plan?, _ board: Board, _ actor: Actor, isGated: Bool) {
        self.site = site
        self.scenario = scenario
        self.plan = plan
        self.board = board
        self.actor = actor
        self.isGated = isGated
    }

    private var isScribbled: Bool { plan?.deed == Int32(CL_SCRIBBLE.rawValue) }

    /// Runs `body`, the operation, in the middle of which this process is killed. One that comes to its end kills itself then: in no case does anything of the closure's
    /// end in good order.
    public func step(_ body: () throws -> Void) throws {
        actor.reach(.ready)
        if isGated { _ = actor.awaitOrder() }
        guard var plan else {
            try body()
            return finish()
        }
        for segment in scenario.segments {
            var size = 0
            if let bytes = unsafe cl_map_file(site.path(segment).string, &size) { unsafe cl_watch(bytes, UInt64(size)) }
        }
        unsafe cl_step_begin(&plan, board.report)
        do {
            try body()
        } catch {
            cl_step_end()
            // Nothing that an operation may say about overwritten bytes is wrong, as long as it says something.
            guard isScribbled else { throw error }
            return finish()
        }
        cl_step_end()
        finish()
    }

    private func finish() {
        actor.reach(.ended)
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
