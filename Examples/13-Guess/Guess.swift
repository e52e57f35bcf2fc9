import Interprocess
import InterprocessSystem
import SystemPackage

/// Two programs that take turns: a judge who has a number in mind, and a player who guesses. If one of them is killed, the other one is told at once.
///
///     swift run Guess judge &
///     swift run Guess play
@main
struct Guess {
    static let game: ObjectName = "example-guess"
    static let patience = Duration.seconds(10)

    /// What the judge says of a guess; nothing has been guessed at first.
    enum Verdict: UInt64 {
        case begin, higher, lower, right
    }

    static func main() {
        do {
            switch CommandLine.arguments.dropFirst().first {
            case "judge": try judge()
            case "play": try play()
            default: print("usage: Guess judge | play")
            }
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func judge() throws {
        let number = UInt64.random(in: 1...1_000_000)
        // The parent has the first turn; either may come first.
        var handoff = try Handoff.join(game, as: .parent, until: .after(.seconds(60)))
        var (verdict, guesses) = (Verdict.begin, 0)
        while verdict != .right {
            guard let guess = try handoff.yield(verdict.rawValue, until: .after(patience)) else { return print(ending(handoff)) }
            guesses += 1
            verdict = guess == number ? .right : guess < number ? .higher : .lower
        }
        print("\(number) was found with \(guesses) guesses")
        // The player sees this verdict, and then that there is no more.
        _ = try handoff.tryYield(verdict.rawValue)
    }

    static func play() throws {
        var handoff = try Handoff.join(game, as: .child, until: .after(.seconds(60)))
        var (low, high) = (UInt64(1), UInt64(1_000_000))
        var said = handoff.value
        while let word = said, let verdict = Verdict(rawValue: word) {
            let guess = (low + high) / 2
            switch verdict {
            case .begin: break
            case .higher: low = guess + 1
            case .lower: high = guess - 1
            case .right: return print("it is \(guess)")
            }
            // What comes from another process is checked: a judge that says one thing and then another must not trap this one.
            guard low <= high else { return print("the judge is not to be trusted") }
            said = try handoff.yield((low + high) / 2, until: .after(patience))
        }
        print(ending(handoff))
    }

    static func ending(_ handoff: borrowing Handoff) -> String { handoff.end.map { "\($0)" } ?? "the other side says what means nothing" }
}
