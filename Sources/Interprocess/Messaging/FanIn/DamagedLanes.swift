import InterprocessSystem
import Synchronization

/// Lanes of a fan-in queue whose words are impossible. The receiver tells of each once, and it is left alone from then on; found by the receiver itself, or by a wait set on any thread.
final class DamagedLanes: Sendable {
    private struct State {
        var told: Set<Int> = []
        /// By lane: the field that is impossible.
        var untold: [Int: String] = [:]
    }

    private let state = Lock(State())
    private let hasUntold = Atomic<Bool>(false)

    func isTold(_ lane: Int) -> Bool { state.withLock { $0.told.contains(lane) } }

    /// The receiver tells of a lane now.
    func tell(_ lane: Int) { state.withLock { _ = $0.told.insert(lane) } }

    /// A wait set has found a lane damaged, of which the receiver has not told.
    func found(_ lane: Int, _ field: String) {
        state.withLock { if !$0.told.contains(lane) { $0.untold[lane] = field } }
        hasUntold.store(true, ordering: .releasing)
    }

    /// What the receiver is to tell now, of a lane that a wait set has found damaged.
    func tellNext() -> String? {
        guard hasUntold.load(ordering: .relaxed) else { return nil }
        hasUntold.store(false, ordering: .sequentiallyConsistent)
        return state.withLock { state in
            while let (lane, field) = state.untold.popFirst() {
                if !state.untold.isEmpty { hasUntold.store(true, ordering: .relaxed) }
                if state.told.insert(lane).inserted { return field }
            }
            return nil
        }
    }
}
