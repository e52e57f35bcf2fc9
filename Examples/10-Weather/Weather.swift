import Interprocess
import InterprocessSystem
import SystemPackage

/// A topic: everybody who listens gets every reading, or is told how many it missed. A slow or killed listener holds up nobody but where it is to.
///
///     swift run Weather record &        # lossless: publishers wait for it, and it misses nothing
///     swift run Weather show &          # lossy, and slow: it misses most, and knows how many
///     swift run Weather publish 1000
@main
struct Weather {
    static let topic: ObjectName = "example-weather"

    struct Reading: Shareable {
        var number: Int
        var celsius: Float
    }

    static func main() {
        do {
            try run()
        } catch {
            say("\(error)", to: .standardError)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        switch (CommandLine.arguments.dropFirst().first, CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) }) {
        case ("publish", let count?): try publish(count)
        case ("record", nil): try record()
        case ("show", nil): try show()
        default: say("usage: Weather publish COUNT | record | show")
        }
    }

    /// At once, also if the output is a file.
    static func say(_ text: String, to output: FileDescriptor = .standardOutput) { _ = try? output.writeAll("\(text)\n".utf8) }

    static func publish(_ count: Int) throws {
        var publisher = try Publisher<Reading>(to: topic, capacity: 64)
        for number in 0..<count {
            // Waits while the recorder is 64 readings behind, but not for ever: it may be stopped. If it was killed, nobody waits for it.
            try publisher.publish(Reading(number: number, celsius: Float(number % 40)), until: .after(.seconds(10)))
        }
        publisher.finish()
    }

    static func record() throws {
        var subscriber = try Subscriber<Reading>(to: topic, .lossless, capacity: 64)
        say("recording")
        var (count, sum) = (0, 0)
        while let reading = try subscriber.receive() {
            count += 1
            sum += reading.number
        }
        say("recorded \(count) readings, the sum of their numbers is \(sum)")
    }

    static func show() throws {
        var subscriber = try Subscriber<Reading>(to: topic, .lossy, capacity: 64)
        say("showing")
        var (count, missed) = (0, UInt64(0))
        while let reading = try subscriber.receive() {
            count += 1
            missed += subscriber.lastMissed
            if subscriber.lastMissed > 0 { say("missed \(subscriber.lastMissed); now \(reading.celsius) °C") }
            // A slow display.
            sleepThread(for: .milliseconds(10))
        }
        say("showed \(count) readings and missed \(missed)")
    }
}
