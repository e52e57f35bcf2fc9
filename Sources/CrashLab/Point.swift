import CCrashLab

/// When something is done to the victim. Written as `i12` (after the twelfth instruction), `c3+5` (five instructions after the shared bytes have changed for the
/// third time), `f3` (the third system call), `end` (never), each with `/p4` (overwritten with pattern 4, the fourth error, the fourth kind of child); `s99`, the seed of a run that has no
/// such point; or the deviations of a schedule, as ``Deviation`` has them.
public struct Point: Sendable, Hashable, CustomStringConvertible {
    enum Moment: Sendable, Hashable {
        case end
        case instruction(Int64)
        case change(Int64, after: Int64)
        case call(Int64)
        case seed(UInt64)
        case order([Deviation])
    }

    var moment: Moment
    var pattern: Int32?

    static let end = Point(.end)

    init(_ moment: Moment, pattern: Int32? = nil) {
        self.moment = moment
        self.pattern = pattern
    }

    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2 else { return nil }
        if parts.count == 2 {
            guard parts[1].first == "p", let pattern = Int32(parts[1].dropFirst()), (0..<CL_PATTERNS).contains(pattern) else { return nil }
            self.pattern = pattern
        }
        let rest = first.dropFirst()
        switch first.first {
        case "i":
            guard let number = Int64(rest) else { return nil }
            moment = .instruction(number)
        case "c":
            let numbers = rest.split(separator: "+", omittingEmptySubsequences: false).map { Int64($0) }
            guard numbers.count <= 2, let change = numbers[0], let after = numbers.count == 2 ? numbers[1] : 0 else { return nil }
            moment = .change(change, after: after)
        case "f":
            guard let number = Int64(rest) else { return nil }
            moment = .call(number)
        case "o":
            let texts = rest.split(separator: ",")
            let deviations = texts.compactMap { Deviation($0) }
            guard deviations.count == texts.count else { return nil }
            moment = .order(deviations)
        case "s":
            guard let number = UInt64(rest) else { return nil }
            moment = .seed(number)
        default:
            guard first == "end" else { return nil }
            moment = .end
        }
    }

    public var description: String {
        let suffix = pattern.map { "/p\($0)" } ?? ""
        return switch moment {
        case .end: "end" + suffix
        case .instruction(let number): "i\(number)" + suffix
        case .change(let change, let after): "c\(change)" + (after == 0 ? "" : "+\(after)") + suffix
        case .call(let number): "f\(number)" + suffix
        case .seed(let seed): "s\(seed)" + suffix
        case .order(let deviations): "o" + deviations.map(\.description).joined(separator: ",")
        }
    }

    /// The plan of a victim to which `deed` is done at this point.
    func plan(_ deed: cl_deed, stepsIntoCalls: Bool, seed: UInt64) -> cl_plan {
        var plan = cl_plan(
            instruction: -1, change: -1, after: 0, deed: Int32(deed.rawValue), over_calls: stepsIntoCalls ? 0 : 1, pattern: pattern ?? 0,
            seed: seed, period: 0, start_instructions: 0, start: cl_moment(), records: 0)
        switch moment {
        case .instruction(let number): plan.instruction = number
        case .change(let change, let after): (plan.change, plan.after) = (change, after)
        case .call(let number): plan.instruction = number
        case .end, .seed, .order: break
        }
        return plan
    }
}

/// How long an operation is.
struct Length: Sendable, Equatable {
    var instructions: Int64
    var changes: Int64
}

/// Which points are tried.
struct PointChoice {
    /// Every k-th instruction.
    var every: Int64
    var random: SeededRandom

    /// The points of an operation in which a process is killed: each change of what is shared, a few instructions after it, and every k-th instruction.
    mutating func kills(_ length: Length) -> [Point] {
        var points: [Point] = []
        if length.changes > 0 {
            for change in 1...length.changes {
                points.append(Point(.change(change, after: 0)))
                if every > 1 { points.append(Point(.change(change, after: Int64.random(in: 1...40, using: &random)))) }
            }
        }
        return points + instructions(length).map { Point(.instruction($0)) }
    }

    /// About so many of the points of ``kills(_:)``; all if every instruction is wanted.
    mutating func some(_ length: Length, _ count: Int, patterns: Int32? = nil) -> [Point] {
        let all = kills(length)
        let chosen = every == 1 ? all : Array(all.shuffled(using: &random).prefix(count))
        guard let patterns else { return chosen }
        return chosen.flatMap { point in (0..<patterns).map { Point(point.moment, pattern: $0) } }
    }

    func calls(_ length: Length) -> [Point] {
        (0..<length.instructions).flatMap { call in (0..<Int32(CL_ERRORS)).map { Point(.call(call), pattern: $0) } }
    }

    mutating func scribbles(_ length: Length) -> [Point] {
        instructions(length).flatMap { instruction in
            (0..<Int32(CL_PATTERNS)).map { Point(.instruction(instruction), pattern: $0) }
        }
    }

    private mutating func instructions(_ length: Length) -> [Int64] {
        Array(stride(from: Int64.random(in: 0..<every, using: &random), through: length.instructions, by: Int64.Stride(every)))
    }
}

/// Random numbers that a seed repeats (SplitMix64, by Steele, Lea and Flood).
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
