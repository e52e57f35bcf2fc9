import InterprocessSystem
import SystemPackage

/// A thread that sleeps in the kernel until one of several descriptors is ready, and then counts up the caller's word: futexes and descriptors cannot be waited for
/// in one call.
final class DescriptorWatcher: Sendable {
    private struct State {
        var wanted: [PolledDescriptor] = []
        /// Whether the caller is to be told.
        var isArmed = false
        /// Whether a byte is in the pipe, which has room for it.
        var isPoked = false
        var isOver = false
    }

    private let state = Lock(State())
    /// Wakes the thread.
    private let pipe: Pipe

    /// - Parameter control: counted up, and woken, once for each time that the watcher is armed.
    init(poking control: ControlWord) throws(Errno) {
        do throws(FacilityError) { pipe = try Pipe() } catch { throw error.errno }
        try startServiceThread(named: "ipc-descriptors") { [self] in run(control) }
    }

    /// Tells the caller when one of `descriptors` is ready; at once if one is. No system call if it does so already.
    func arm(_ descriptors: [PolledDescriptor]) {
        state.withLock { state in
            if state.isArmed, state.wanted == descriptors { return }
            (state.wanted, state.isArmed) = (descriptors, true)
            poke(&state)
        }
    }

    /// Lets go of all descriptors.
    func disarm() {
        state.withLock { state in
            guard state.isArmed else { return }
            (state.wanted, state.isArmed) = ([], false)
            poke(&state)
        }
    }

    /// Ends the thread; it closes the pipe.
    func end() {
        state.withLock { state in
            state.isOver = true
            poke(&state)
        }
    }

    private func poke(_ state: inout State) {
        if state.isPoked { return }
        // One byte, where there is none: it does not block.
        state.isPoked = (try? pipe.writing.descriptor.writeAll([0])) != nil
    }

    private func run(_ control: ControlWord) {
        while true {
            let (wanted, isOver) = state.withLock { ($0.isArmed ? $0.wanted : [], $0.isOver) }
            if isOver { return }
            var all = [PolledDescriptor(pipe.reading.descriptor, for: .reading)] + wanted
            do throws(Errno) {
                try all.poll(waits: true)
            } catch {
                // No memory in the kernel: the caller looks again and again until there is.
                sleepThread(for: .milliseconds(1))
                if !wanted.isEmpty { tell(control, of: wanted) }
                continue
            }
            if all[0].state == .ready {
                var byte: UInt8 = 0
                _ = unsafe withUnsafeMutableBytes(of: &byte) { unsafe try? pipe.reading.descriptor.read(into: $0) }
                state.withLock { $0.isPoked = false }
            }
            if all.dropFirst().contains(where: { $0.state != .idle }) { tell(control, of: wanted) }
        }
    }

    /// Tells the caller, unless it has said something else meanwhile.
    private func tell(_ control: ControlWord, of wanted: [PolledDescriptor]) {
        let isCurrent = state.withLock { state in
            guard state.isArmed, state.wanted == wanted else { return false }
            state.isArmed = false
            return true
        }
        if isCurrent { control.incrementAndWake() }
    }
}
