import ArgumentParser
import Interprocess
import InterprocessSystem

/// `ipc publish`.
struct Publish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish the lines of standard input to a topic of bytes.",
        discussion: """
            Each line is a message, without its newline; with --raw all of standard input is one. The topic is made if there is none, and \
            ends with the last process that has it open: --subscribers waits until there is somebody to read. While a lossless subscriber \
            is as many messages behind as the topic keeps, the next message waits for it.

            Exit statuses: 0, all was published; 1, something failed; 4, a message waited for as long as --timeout says; 64, the arguments \
            are wrong.
            """)

    @OptionGroup var options: MessageOptions
    @Flag(help: "All of standard input is one message.")
    var raw = false
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Bytes of the largest message if the topic is made now, or that it must take (default: 1M).", valueName: "bytes"),
        transform: parseSize)
    var size: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How many messages the topic keeps if it is made now, or that it must keep (default: 256).", valueName: "messages"))
    var keep: Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("Wait until so many subscribe (default: 0).", valueName: "number"))
    var subscribers = 0
    @Option(parsing: .unconditional, help: ArgumentHelp("Publish at most so many messages in a second.", valueName: "number"))
    var rate: Double?
    @Flag(help: "Say at the end that no more will come, from whomever: subscribers end then.")
    var finish = false

    func validate() throws {
        if let keep, !(1...65_536).contains(keep) { throw ValidationError("--keep is from 1 to 65536, not \(keep)") }
        if subscribers < 0 { throw ValidationError("--subscribers is a number of processes, not \(subscribers)") }
        if let rate, !(rate > 0 && rate <= 1e9) { throw ValidationError("--rate is a number of messages in a second, as in 0.5 or 100") }
    }

    func run() throws {
        let cleanUp = EndOfSegment()
        Interruption.prepare { cleanUp.run() }
        let name = try ObjectName(options.name)
        var publisher = try options.open(size: size, default: BytePublisher.defaultMaximumMessageSize) { existence, size in
            try BytePublisher(
                to: name, capacity: keep, maximumMessageSize: size,
                options: TopicOptions(directory: options.location.objects, existence: existence))
        }
        cleanUp.set(publisher.segment, keepsMessages: true)
        try awaitSubscribers(publisher)
        var input = try MessageInput(isWhole: raw, limit: publisher.maximumMessageSize)
        var (count, next) = (0, MonotonicInstant.now)
        while let message = try input.next() {
            if let rate {
                let wait = next.nanoseconds > MonotonicInstant.now.nanoseconds ? next.nanoseconds - MonotonicInstant.now.nanoseconds : 0
                if wait > 0 { sleepThread(for: .nanoseconds(Int64(clamping: wait))) }
                next = max(next, MonotonicInstant.now).advanced(by: .nanoseconds(Int64(1e9 / rate)))
            }
            do throws(PublishError<Void>) {
                try publisher.publish(message, until: options.deadline)
            } catch {
                throw CommandFailure(
                    "\(error); \(count) had been published",
                    status: error.reason == .deadline ? MessageStatus.timeout : MessageStatus.failed)
            }
            count += 1
        }
        if finish { publisher.finish() }
    }

    private func awaitSubscribers(_ publisher: borrowing BytePublisher) throws {
        let deadline = options.deadline
        while true {
            let statistics = publisher.statistics
            let found = statistics.losslessSubscribers + statistics.lossySubscribers
            if found >= subscribers { return }
            guard !deadline.hasPassed else {
                throw CommandFailure(
                    "\(found) of \(subscribers) subscribers had come; nothing was published", status: MessageStatus.timeout)
            }
            sleepThread(for: .milliseconds(5))
        }
    }
}
