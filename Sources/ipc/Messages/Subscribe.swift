import ArgumentParser
import Interprocess
import InterprocessSystem

/// `ipc subscribe`.
struct Subscribe: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the messages of a topic of bytes to standard output.",
        discussion: """
            A line for each message, in the order in which they were published; with --raw just their bytes. Publishers wait for this \
            subscriber when it is as many messages behind as the topic keeps; with --lossy they do not, and it says in the end how many it \
            has missed. It ends when the topic is finished ('ipc publish --finish'), or after --count messages.

            Exit statuses: 0; 1, something failed; 4, nothing came for as long as --timeout says; 64, the arguments are wrong.
            """)

    @OptionGroup var options: MessageOptions
    @Flag(help: "Never hold up a publisher.")
    var lossy = false
    @Flag(help: "Write the messages' bytes and nothing between them.")
    var raw = false
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Begin with so many messages that were published before, or with 'all' (default: 0).", valueName: "messages"),
        transform: parseHistory)
    var history: TopicHistory?
    @Option(parsing: .unconditional, help: ArgumentHelp("End after so many messages.", valueName: "messages"))
    var count: Int?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Bytes of the largest message if the topic is made now, or that it must take (default: 1M).", valueName: "bytes"),
        transform: parseSize)
    var size: Int?

    func validate() throws { if let count, count < 1 { throw ValidationError("--count is at least 1, not \(count)") } }

    func run() throws {
        if unsafe StandardStreams.isOutputClosed { throw CommandFailure("standard output is closed; there is nowhere to write to") }
        let cleanUp = EndOfSegment()
        Interruption.prepare { cleanUp.run() }
        let name = try ObjectName(options.name)
        var subscriber = try options.open(size: size, default: BytePublisher.defaultMaximumMessageSize) { existence, size in
            try ByteSubscriber(
                to: name, lossy ? .lossy : .lossless, history: history ?? .none, maximumMessageSize: size,
                options: TopicOptions(directory: options.location.objects, existence: existence))
        }
        cleanUp.set(subscriber.segment, keepsMessages: true)
        var received = 0
        while received < count ?? .max, let result = try next(&subscriber, after: received) {
            try result.get()
            received += 1
        }
        if subscriber.missed > 0 { Output.standardError("ipc: \(subscriber.missed) messages were missed\n") }
    }

    /// Nil when the topic is finished.
    private func next(
        _ subscriber: inout ByteSubscriber, after received: Int
    ) throws(CommandFailure) -> Result<Void, CommandFailure>? {
        do throws(SubscriptionError) {
            return try subscriber.receive(until: options.deadline) { (bytes) throws(CommandFailure) in
                try Output.write(message: bytes, isLine: !raw)
            }
        } catch {
            throw CommandFailure(
                "\(error); \(received) messages had come", status: error == .deadline ? MessageStatus.timeout : MessageStatus.failed)
        }
    }
}

@Sendable
private func parseHistory(_ text: String) throws -> TopicHistory {
    if text == "all" { return .all }
    guard let count = Int(text), count >= 0 else { throw ArgumentProblem("it is a number of messages, or 'all'") }
    return count == 0 ? .none : .last(count)
}
