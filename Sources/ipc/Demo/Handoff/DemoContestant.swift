import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// A contestant of `ipc demo handoff`: finds the judge's numbers. In one round it may have something else to do.
struct DemoContestant: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-contestant", abstract: "One side of a demonstration; started by `ipc demo handoff`.", shouldDisplay: false)

    @OptionGroup var side: HandoffDemoOptions
    /// Which one it is.
    @Option var number: Int
    /// In this round, after so many guesses, it stops and waits to be killed, or tries what its filter does not let it.
    @Option var stopIn: UInt64?
    @Option var cheatIn: UInt64?
    @Option var afterGuesses: Int?

    func run() throws {
        let control = try side.control()
        var handoff = try side.begin(as: .child)
        control[number, .progress] = HandoffDemoControl.Progress.playing.rawValue
        // Nothing can be printed from here on.
        let status: Int32
        do {
            status = try play(&handoff, control)
        } catch {
            status = HandoffDemoStatus.of(error)
        }
        handoff.close()
        endProcessAtOnce(status: status)
    }

    private func play(_ handoff: inout Handoff, _ control: HandoffDemoControl) throws(HandoffError) -> Int32 {
        var search = Search()
        var round: UInt64 = 0
        var guesses = 0
        var said = handoff.value
        while let word = said {
            switch Verdict(word: word) {
            case .begin(let next):
                (search, round, guesses) = (Search(), next, 0)
            case .higher?, .lower?:
                guard let verdict = Verdict(word: word), search.learn(verdict) else { return HandoffDemoStatus.nonsense }
            case .over: return HandoffDemoStatus.success
            case nil: return HandoffDemoStatus.nonsense
            }
            if guesses == afterGuesses {
                if round == stopIn { awaitKill(control) }
                if round == cheatIn { cheat(control) }
            }
            guesses += 1
            said = try handoff.yield(search.guess, until: .after(HandoffDemoOptions.patience))
        }
        return HandoffDemoStatus.partnerGone
    }

    /// In the middle of its turn.
    private func awaitKill(_ control: HandoffDemoControl) {
        control[number, .progress] = HandoffDemoControl.Progress.stopped.rawValue
        sleepThread(for: HandoffDemoOptions.patience)
        endProcessAtOnce(status: HandoffDemoStatus.patienceLost)
    }

    /// Opens a file, which is refused; then starts a program, which its filter kills it for: if it does not, everybody is to see it.
    private func cheat(_ control: HandoffDemoControl) {
        do {
            try FileDescriptor.open("/etc/passwd" as FilePath, .readOnly).close()
            control[number, .openError] = 1
        } catch {
            control[number, .openError] = UInt64((error as? Errno)?.rawValue ?? 0) + 1
        }
        control[number, .progress] = HandoffDemoControl.Progress.escaping.rawValue
        control[number, .killed] = MonotonicInstant.now.nanoseconds
        _ = try? ChildProcess(starting: "/bin/true", arguments: [])
        control[number, .progress] = HandoffDemoControl.Progress.escaped.rawValue
        endProcessAtOnce(status: HandoffDemoStatus.escaped)
    }
}
