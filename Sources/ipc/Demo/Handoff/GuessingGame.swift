/// What the judge says with the turn: a kind in the lowest byte, and for a new round its number above it.
enum Verdict: Equatable {
    /// Find another number.
    case begin(round: UInt64)
    /// The number is larger than the last guess.
    case higher
    case lower
    /// There are no more rounds.
    case over

    private static let mostRounds: UInt64 = 1 << 56

    var word: UInt64 {
        switch self {
        case .begin(let round): round << 8
        case .higher: 1
        case .lower: 2
        case .over: 3
        }
    }

    /// Nil for a word that no judge says: it stands in shared memory, where whoever has the handoff open may write.
    init?(word: UInt64) {
        switch (word & 0xff, word >> 8) {
        case (0, let round): self = .begin(round: round)
        case (1, 0): self = .higher
        case (2, 0): self = .lower
        case (3, 0): self = .over
        default: return nil
        }
    }

    init(begin round: Int) {
        precondition(round >= 0 && round < Self.mostRounds)
        self = .begin(round: UInt64(round))
    }
}

extension Verdict {
    /// What the judge says to a guess; nil if it is the number.
    static func of(_ guess: UInt64, hidden: UInt64) -> Verdict? { guess == hidden ? nil : guess < hidden ? .higher : .lower }
}

/// The search for a number of 64 bits by halving. A guess is the number itself, with all bits of the turn's value.
struct Search {
    /// By halving, any of 2⁶⁴ numbers is found with so many.
    static let mostGuesses = 65

    private var least: UInt64 = 0
    private var most: UInt64 = .max

    var guess: UInt64 { least + (most - least) / 2 }

    /// Takes in what the judge says to ``guess``. False if no number is left, so that it has lied.
    mutating func learn(_ verdict: Verdict) -> Bool {
        let last = guess
        switch verdict {
        case .higher where last < most: least = last + 1
        case .lower where last > least: most = last - 1
        default: return false
        }
        return true
    }
}
