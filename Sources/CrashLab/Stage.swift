import CCrashLab
internal import Interprocess
import InterprocessSystem
import SystemPackage

/// The place of one scenario in one worker: a directory, and the survivor that stays in it through many trials.
final class Stage {
    let scenario: Scenario
    let mode: Mode
    let site: Site
    let board: Board
    private var survivor: Child?
    private(set) var trials = 0
    /// Whether the survivor has been told to rouse the victim, and has not answered yet.
    private(set) var isRousing = false
    /// Where the trial that runs begins to step; nil: at the beginning.
    var start: Record.Start?
    /// Whether the trial that runs is recorded.
    var isRecording = false
    private let patience: Duration

    /// - Parameter patience: after how long something that does not go on is held to hang.
    init(_ scenario: Scenario, _ mode: Mode, in parent: FilePath, _ board: Board, seed: UInt64, patience: Duration) throws {
        self.scenario = scenario
        self.mode = mode
        self.board = board
        self.patience = patience
        // As long as any other: what goes through the name goes through as many bytes.
        let name = String(randomUInt64(), radix: 36)
        let path = parent.appending(String(repeating: "0", count: 13 - name.count) + name)
        _ = try Directory.make(at: path, mode: .ownerReadWriteExecute)
        site = Site(directory: ObjectDirectory(at: path), ledger: board.ledger, seed: seed)
        site.ledger.clear()
        if mode.hasSurvivor {
            let (site, actor) = (site, board.actor(0))
            survivor = Child(actor) { try actor.survive(scenario, site) }
            do {
                _ = try answered("set up")
            } catch {
                removeTree(path)
                throw error
            }
        }
    }

    deinit { removeTree(site.directory.path) }

    /// From now on: whatever lasts longer hangs.
    var deadline: MonotonicInstant { .now.advanced(by: patience) }

    /// Lets the survivor do something, and waits until it has.
    func survivor(_ order: Actor.Order, _ what: String) throws {
        try finishRousing()
        board.actor(0).give(order)
        try answered(what)
        if order == .prepare { trials += 1 }
    }

    /// Lets the survivor rouse the victim, and waits until it has, or until the victim has stopped at its point: that may be where the survivor needs it to go on.
    func rouse(until isStopped: () -> Bool) throws {
        try finishRousing()
        let survivor = board.actor(0)
        survivor.give(.rouse)
        isRousing = true
        let limit = deadline
        while survivor.reached == .none, !isStopped(), MonotonicInstant.now < limit {
            survivor.awaitMilestone(after: .none, for: .milliseconds(1))
        }
        if !isStopped() { try finishRousing() }
    }

    private func finishRousing() throws {
        guard isRousing else { return }
        isRousing = false
        try answered("rouse the victim")
    }

    /// Stops the survivor (SIGSTOP), and waits until it is; or lets it go on.
    func survivor(isStopped: Bool) throws {
        guard let survivor else { return }
        cl_kill(survivor.pid, isStopped ? Signal.stop : Signal.continue)
        if isStopped { try survivor.awaitStopped(until: deadline) }
    }

    private func answered(_ what: String) throws {
        do {
            guard try survivor?.await([.answered], until: deadline) != nil else {
                throw Violation("ended by itself with status \(survivor?.ending() ?? 0)")
            }
        } catch {
            throw Violation("the survivor, to \(what): \(error)")
        }
    }
}

extension Actor {
    /// The survivor's whole life.
    fileprivate func survive(_ scenario: Scenario, _ site: Site) throws {
        let survivor = try scenario.survivor(site)
        reach(.answered)
        while true {
            switch awaitOrder() {
            case .prepare: try survivor.prepare()
            case .rouse: try survivor.rouse?()
            case .meanwhile: try survivor.meanwhile?()
            case .goOn: try survivor.goOn()
            default: return
            }
            reach(.answered)
        }
    }
}

/// Removes a directory and what is in it, as far as it can.
func removeTree(_ path: FilePath) {
    guard let directory = try? Directory(opening: path), let names = try? directory.names() else { return }
    for name in names {
        removeTree(path.appending(name))
        try? directory.unlink(name)
    }
    unsafe _ = cl_remove_directory(path.string)
}
