/// Where an enumerated schedule departs from the plain one, in which whoever has the turn keeps it until it sleeps or has ended, and the next in order
/// follows. Written as `12:1` (at the twelfth turn player 1 goes on) or `12x1` (player 1 is killed then).
struct Deviation: Sendable, Hashable, CustomStringConvertible {
    var turn: Int
    var player: Int
    var isKill: Bool

    init(turn: Int, player: Int, isKill: Bool) {
        (self.turn, self.player, self.isKill) = (turn, player, isKill)
    }

    init?(_ text: some StringProtocol) {
        let isKill = text.contains("x")
        let numbers = text.split(separator: isKill ? "x" : ":", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let turn = numbers[0], let player = numbers[1], turn >= 0, player >= 0 else { return nil }
        self.init(turn: turn, player: player, isKill: isKill)
    }

    var description: String { "\(turn)\(isKill ? "x" : ":")\(player)" }
}

/// What was possible and what was done at each turn of a schedule. Written as three characters a turn: the players that live and those that can go on, as sets of bits,
/// and who did, a digit, or was killed, a letter.
struct Trace: Sendable {
    struct Turn: Sendable {
        var alive: Int
        var ready: Int
        var player: Int
        var isKill: Bool
    }

    static let mostPlayers = 3
    private(set) var turns: [Turn] = []

    init() {}

    init?(_ text: some StringProtocol) {
        let characters = Array(text.utf8).map(Int.init)
        guard characters.count % 3 == 0 else { return nil }
        for start in stride(from: 0, to: characters.count, by: 3) {
            let last = characters[start + 2]
            let isKill = last >= 97
            turns.append(
                Turn(alive: characters[start] - 48, ready: characters[start + 1] - 48, player: last - (isKill ? 97 : 48), isKill: isKill))
        }
    }

    var text: String {
        String(
            decoding: turns.flatMap { [UInt8(48 + $0.alive), UInt8(48 + $0.ready), UInt8(($0.isKill ? 97 : 48) + $0.player)] },
            as: UTF8.self)
    }

    mutating func append(alive: [Int], ready: [Int], player: Int, isKill: Bool) {
        turns.append(
            Turn(
                alive: alive.reduce(0) { $0 | 1 << $1 }, ready: ready.reduce(0) { $0 | 1 << $1 }, player: player, isKill: isKill))
    }

    /// The schedules that depart from this one once more, later than it does itself, with at most so many preemptions: switches away from a player that could
    /// have gone on. At most one player is killed, if any may be.
    func successors(of deviations: [Deviation], preemptions most: Int, mayKill: Bool) -> [[Deviation]] {
        let first = (deviations.last?.turn ?? -1) + 1
        let canKill = mayKill && !deviations.contains { $0.isKill }
        var found: [[Deviation]] = []
        var (current, cost) = (-1, 0)
        for (number, turn) in turns.enumerated() {
            let isPreemption = current >= 0 && turn.ready & 1 << current != 0
            if number >= first {
                for player in 0..<Self.mostPlayers {
                    if turn.ready & 1 << player != 0, player != turn.player, cost + (isPreemption && player != current ? 1 : 0) <= most {
                        found.append(deviations + [Deviation(turn: number, player: player, isKill: false)])
                    }
                    if canKill, turn.alive & 1 << player != 0 {
                        found.append(deviations + [Deviation(turn: number, player: player, isKill: true)])
                    }
                }
            }
            if !turn.isKill {
                if isPreemption, turn.player != current { cost += 1 }
                current = turn.player
            }
        }
        return found
    }
}
