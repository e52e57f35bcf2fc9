import CCrashLab

/// The moments of an operation that was stepped through once: where the steps of later trials may begin.
///
/// Only moments at which the thread comes to a place for the first time: the second time may be another one when the operation runs at full speed, since it looks more or less often
/// while it waits.
struct Record {
    private let moments: [cl_moment]
    /// For each, the last one at or before it where steps may begin.
    private let starts: [Int32]

    init(_ moments: [cl_moment]) {
        self.moments = moments
        var last: Int32 = 0
        starts = moments.indices.map { index in
            if moments[index].place != 0 { last = Int32(index) }
            return last
        }
    }

    /// Where steps begin.
    struct Start {
        /// How many instructions had been executed before.
        let instructions: Int
        let moment: cl_moment
    }

    /// So many instructions are stepped sooner than a breakpoint is set.
    private static let shortWay = 16

    /// The last moment before a point where steps may begin; nil: from the beginning. O(1), O(moments) for a change.
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
        let best = Int(starts[last])
        return best > Self.shortWay ? Start(instructions: best, moment: moments[best]) : nil
    }
}
