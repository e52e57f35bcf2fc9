import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc serve`.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a service of bytes by a command: the request is its input, the reply its output.",
        discussion: """
            For each call the command runs once: 'ipc serve upper -- tr a-z A-Z'. Where it ends with another status than 0, or by a \
            signal, the caller is told so, and its output is thrown away. When nobody waits for the reply any more, the command gets \
            SIGTERM, and 5 s later SIGKILL. Any number of servers share the calls.

            Exit statuses: 1, something failed; 64, the arguments are wrong; 130, Ctrl-C.
            """)

    @OptionGroup var options: MessageOptions
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Run the command for so many calls at once, at most 256 (default: 1).", valueName: "number"))
    var concurrency = 1
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Bytes of the largest request and reply if the service is made now, or that it must take (default: 64M).", valueName: "bytes"),
        transform: parseSize)
    var size: Int?
    @Argument(parsing: .postTerminator, help: ArgumentHelp("What runs for each call, behind '--'.", valueName: "command"))
    var command: [String] = []

    func validate() throws {
        if command.isEmpty { throw ValidationError("no command: write it behind '--', as in 'ipc serve upper -- tr a-z A-Z'") }
        if !(1...256).contains(concurrency) { throw ValidationError("--concurrency is from 1 to 256, not \(concurrency)") }
        if options.timeout != nil { throw ValidationError("--timeout is the caller's") }
    }

    func run() throws {
        let cleanUp = EndOfSegment()
        Interruption.prepare { cleanUp.run() }
        let name = try ObjectName(options.name)
        let server = try options.open(size: size, default: ByteClient.defaultMaximumSize) { existence, size in
            try ByteServer(
                name, maximumRequestSize: size, maximumReplySize: size,
                options: ServiceOptions(directory: options.location.objects, existence: existence))
        }
        cleanUp.set(server.segment, keepsMessages: true)
        let command = command
        for _ in 1..<concurrency {
            try startServiceThread(named: "ipc-serve") {
                do { try Self.answerAll(server, command) } catch { CommandFailure("\(error)").end() }
            }
        }
        try Self.answerAll(server, command)
    }

    private static func answerAll(_ server: ByteServer, _ command: [String]) throws {
        while let call = try server.take() {
            do {
                try CommandCall(call, command).answer()
            } catch ServeError.callerGone {
            } catch ServeError.tooLarge(let limit) {
                // The caller has been told that there is no reply.
                Output.standardError(
                    "ipc: the output of '\(command[0])' was larger than the \(byteCount(limit)) of a reply; serve with a larger --size\n")
            }
        }
    }
}

/// One call that a command answers.
private struct CommandCall: ~Copyable {
    private let call: ByteServerCall
    private let command: [String]
    private static let grace = Duration.seconds(5)

    init(_ call: consuming ByteServerCall, _ command: [String]) {
        self.call = call
        self.command = command
    }

    consuming func answer() throws {
        // Files of no name, so that neither side waits for the other to read.
        let input = try MemoryFile.make(named: "request", size: 0)
        let output = try MemoryFile.make(named: "reply", size: 0)
        try call.withRequest { bytes in try bytes.writeAll(to: input.descriptor) }
        try input.descriptor.seek(offset: 0, from: .start)
        let ending: ChildProcess.Ending
        do {
            ending = try run(input.descriptor, output.descriptor)
        } catch let error as Errno {
            Output.standardError("ipc: '\(command[0])' could not be started: \(error)\n")
            return try call.fail(ServiceFailure("'\(command[0])' could not be started: \(error)"))
        }
        switch ending {
        case .exited(0):
            let size = Int(try output.descriptor.seek(offset: 0, from: .end))
            try output.descriptor.seek(offset: 0, from: .start)
            try call.reply(upTo: size) { (reply) throws(Errno) in try reply.append(size, of: output.descriptor) }.get()
        case .exited(let status): try call.fail(ServiceFailure("'\(command[0])' ended with status \(status)", code: UInt32(status)))
        case .signalled(let signal):
            try call.fail(ServiceFailure("'\(command[0])' was ended by signal \(signal)", code: 128 + UInt32(signal)))
        }
    }

    private func run(_ input: FileDescriptor, _ output: FileDescriptor) throws -> ChildProcess.Ending {
        // The shell finds the command as it would for a person.
        var child = try ChildProcess(
            starting: "/bin/sh", arguments: ["-c", "exec \"$0\" \"$@\""] + command,
            descriptors: [(input, 0), (output, 1)])
        let process = try ProcessDescriptor(opening: child.pid)
        var killed: MonotonicInstant?
        while try !process.wait(until: .after(.milliseconds(50))) {
            guard call.isCancelled else { continue }
            if let killed {
                if killed <= .now { child.send(signal: Signal.kill) }
            } else {
                killed = .after(Self.grace)
                child.send(signal: Signal.terminate)
            }
        }
        return try child.wait()
    }
}

extension OutputRawSpan {
    /// Appends the next `count` bytes of a file.
    fileprivate mutating func append(_ count: Int, of file: FileDescriptor) throws(Errno) {
        var left = count
        while left > 0 {
            let read = try unsafe withUnsafeMutableBytes { (buffer, used) throws(Errno) in
                let read = try unsafe file.readWaiting(into: UnsafeMutableRawBufferPointer(rebasing: buffer[used..<used + left]))
                used += read
                return read
            }
            // Somebody has made it shorter.
            guard read > 0 else { return }
            left -= read
        }
    }
}
