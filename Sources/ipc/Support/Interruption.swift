import InterprocessSystem

/// What is done before the process ends by Ctrl-C, by `kill`, or because its terminal is gone.
///
/// A thread of its own waits for the signals, so that nothing has to be looked at anywhere else and any system call may be in progress.
enum Interruption {
    private static let signals = [Signal.interrupt, Signal.terminate, Signal.hangUp].filter { !Signal.isIgnored($0) }

    /// Runs `cleanUp` when one of the signals comes, then ends the process by that signal. To be called by the first thread before there
    /// are others.
    static func prepare(_ cleanUp: @escaping @Sendable () -> Void) {
        let signals = signals
        guard !signals.isEmpty else { return }
        Signal.block(signals)
        // Without the thread the signals would be held back for ever.
        do {
            try startServiceThread(named: "ipc-signals") {
                let signal = Signal.wait(for: signals)
                cleanUp()
                Signal.endProcess(by: signal)
            }
        } catch {
            CommandFailure("cannot start a thread for signals: \(error)").end()
        }
    }
}
