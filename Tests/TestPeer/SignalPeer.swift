import Glibc
import InterprocessSystem
import TestSupport

let signalCommands: [String: Command] = ["signals": { _ in try readSignals() }]

/// signals: blocks SIGUSR1 and two real-time signals, says "ready", and for each line what it reads: "try" what is there, "wait" and "async" what comes, "deadline" how that ends.
private func readSignals() throws {
    let first = Signal.realTime.lowerBound
    let wanted = [SIGUSR1, first, first + 1]
    Signal.block(wanted)
    let signals = try SignalDescriptor(wanted)
    say("ready")
    try forEachLine { line in
        switch line {
        case "try": say(text(try signals.tryReceive()))
        case "wait":
            say("waiting")
            say(text(try signals.receive()))
        case "deadline":
            say("waiting")
            do throws(FacilityError) {
                say(text(try signals.receive(until: .after(.milliseconds(5)))))
            } catch {
                say(error.isDeadline ? "deadline" : "\(error)")
            }
        case "async":
            say("waiting")
            let isDone = DispatchlessResult()
            Task {
                say(text(try? await SignalDescriptor(wanted).receive()))
                isDone.set(0)
            }
            while isDone.value < 0 { sleepThread(for: .milliseconds(1)) }
        default: throw BadArguments()
        }
    }
}

private func text(_ received: SignalDescriptor.Received?) -> String {
    guard let received else { return "none" }
    return "\(received.signal) \(received.pid) \(received.value.map(String.init) ?? "none")"
}
