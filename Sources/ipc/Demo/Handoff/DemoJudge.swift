import ArgumentParser
import Interprocess
import InterprocessSystem

/// The judge of `ipc demo handoff`: hides numbers, and has them found.
struct DemoJudge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-judge", abstract: "One side of a demonstration; started by `ipc demo handoff`.", shouldDisplay: false)

    @OptionGroup var side: HandoffDemoOptions
    @Option var rounds: Int

    func run() throws {
        // Before the filter, which has no random numbers.
        let hidden = (0..<rounds).map { _ in randomUInt64() }
        let control = try side.control()
        var judge = Judge(handoff: try side.begin(as: .parent), control: control)
        // Nothing can be printed from here on.
        let status: Int32
        do {
            status = try judge.play(hidden)
        } catch {
            status = HandoffDemoStatus.of(error)
        }
        judge.close()
        endProcessAtOnce(status: status)
    }
}

private struct Judge: ~Copyable {
    private var handoff: Handoff
    private let control: HandoffDemoControl
    /// Which contestant plays, and how much it has done.
    private var contestant = 0
    private var rounds: UInt64 = 0
    private var guesses: UInt64 = 0
    private var allGuesses: UInt64 = 0

    init(handoff: consuming Handoff, control: HandoffDemoControl) {
        self.handoff = handoff
        self.control = control
    }

    consuming func close() { handoff.close() }

    /// Has each of the numbers found. A contestant that ends is reported at once, and the next one begins the same round.
    mutating func play(_ hidden: [UInt64]) throws -> Int32 {
        control[.start] = MonotonicInstant.now.nanoseconds
        for (round, number) in hidden.enumerated() {
            while true {
                let found = try self.play(round, number)
                if let found {
                    guard found else { return HandoffDemoStatus.nonsense }
                    break
                }
                try meetNext(after: round)
            }
            rounds += 1
            control[contestant, .rounds] = rounds
            control[.rounds] = UInt64(round + 1)
            control[.guesses] = allGuesses
        }
        control[.end] = MonotonicInstant.now.nanoseconds
        // The contestant closes.
        guard try handoff.yield(Verdict.over.word, until: .after(HandoffDemoOptions.patience)) == nil else {
            return HandoffDemoStatus.nonsense
        }
        report(hidden.count, 0)
        return HandoffDemoStatus.success
    }

    private var guessesInRound: UInt64 = 0

    /// Whether the contestant found the number; nil if it has ended.
    private mutating func play(_ round: Int, _ number: UInt64) throws(HandoffError) -> Bool? {
        guessesInRound = 0
        var verdict = Verdict(begin: round)
        while true {
            guard let guess = try handoff.yield(verdict.word, until: .after(HandoffDemoOptions.patience)) else { return nil }
            guessesInRound += 1
            guesses += 1
            allGuesses += 1
            guard let next = Verdict.of(guess, hidden: number) else { return true }
            if guessesInRound == Search.mostGuesses { return false }
            verdict = next
        }
    }

    private func report(_ round: Int, _ guessesInRound: UInt64) {
        if case .died(let notice) = handoff.end {
            control[contestant, .deadPID] = UInt64(notice.pid)
            control[contestant, .end] = 2
        } else {
            control[contestant, .end] = 1
        }
        control[contestant, .guesses] = guesses
        control[contestant, .lastRound] = UInt64(round)
        control[contestant, .guessesInLastRound] = guessesInRound
        // Last: who sees it finds the others.
        control[contestant, .told] = MonotonicInstant.now.nanoseconds
    }

    private mutating func meetNext(after round: Int) throws(InterprocessError) {
        report(round, guessesInRound)
        try handoff.rejoin(until: .after(HandoffDemoOptions.patience))
        (contestant, rounds, guesses) = (contestant + 1, 0, 0)
    }
}
