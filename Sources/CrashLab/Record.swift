import CCrashLab

/// The moments of an operation that was stepped through once: where the steps of later trials may begin.
struct Record {
    private let moments: [cl_moment]

    init(_ moments: [cl_moment]) { self.moments = moments }

    /// Where steps begin.
    struct Start {
        /// How many instructions had been executed before.
        let instructions: Int
        let moment: cl_moment
    }

    /// So many instructions are stepped sooner than a breakpoint is set.
    static let shortWay = 16
    /// So many moments before a point are compared.
    private static let reach = 512

    /// From where a point is reached soonest: each visit of a breakpoint takes about as long as a step. Nil: from the beginning. O(1), O(moments) for a change.
    func start(for point: Point) -> Start? {
        let wanted: Int
        switch point.moment {
        case .instruction(let number): wanted = Int(clamping: number)
        // The change itself has to be seen.
        case .change(let change, _): wanted = (moments.firstIndex { $0.changes >= change } ?? moments.count) - 1
        case .end, .call, .seed, .order: return nil
        }
        let last = min(wanted, moments.count - 1)
        guard last > Self.shortWay else { return nil }
        func steps(from index: Int) -> Int { Int(moments[index].visits) + wanted - index }
        let best = (max(1, last - Self.reach)...last).filter { moments[$0].place != 0 }.min { steps(from: $0) < steps(from: $1) }
        guard let best, steps(from: best) + Self.shortWay < wanted else { return nil }
        return Start(instructions: best, moment: moments[best])
    }
}
