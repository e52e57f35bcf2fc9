import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc call`.
struct Call: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Call a service of bytes: the request from standard input, the reply to standard output.",
        discussion: """
            The request is what stands behind the name, or else all of standard input. It waits until there is a server ('ipc serve', or \
            a program's ByteServer), unless --no-wait is given.

            Exit statuses: 0; 1, something failed; 3, the server died with the call; 4, there was no reply within --timeout; 6, the server \
            refused; 7, there is no server, and --no-wait was given; 64, the arguments are wrong.
            """)

    @OptionGroup var options: MessageOptions
    @Argument(help: "The request (default: standard input).")
    var request: String?
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Send the call to another server so often if one dies with it (default: 0).", valueName: "times"))
    var retries = 0
    @Flag(inversion: .prefixedNo, exclusivity: .exclusive, help: "Wait until there is a server.")
    var wait = true
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Bytes of the largest request and reply if the service is made now, or that it must take (default: 64M).", valueName: "bytes"),
        transform: parseSize)
    var size: Int?

    func validate() throws { if retries < 0 { throw ValidationError("--retries is not negative") } }

    func run() throws {
        let cleanUp = EndOfSegment()
        Interruption.prepare { cleanUp.run() }
        let name = try ObjectName(options.name)
        let client = try options.open(size: size, default: ByteClient.defaultMaximumSize) { existence, size in
            try ByteClient(
                name, maximumRequestSize: size, maximumReplySize: size,
                policy: CallPolicy(retries: retries, whenNoServer: wait ? .wait : .fail),
                options: ServiceOptions(directory: options.location.objects, existence: existence))
        }
        cleanUp.set(client.segment, keepsMessages: true)
        let request = try bytes(atMost: client.maximumRequestSize)
        let reply: [UInt8]
        do throws(CallError) {
            reply = try client.call(request, until: options.deadline)
        } catch {
            let status =
                switch error {
                case .peerDied: MessageStatus.peerDied
                case .deadline: MessageStatus.timeout
                case .failed: MessageStatus.refused
                case .noServer: MessageStatus.noServer
                default: MessageStatus.failed
                }
            throw CommandFailure("\(error)", status: status)
        }
        let endsLine = FileDescriptor.standardOutput.isTerminal && reply.last != UInt8(ascii: "\n")
        try unsafe Output.write(message: reply.span.bytes, isLine: endsLine)
    }

    private func bytes(atMost limit: Int) throws(CommandFailure) -> [UInt8] {
        if let request { return Array(request.utf8) }
        var input = try MessageInput(isWhole: true, limit: limit)
        return try input.next() ?? []
    }
}
