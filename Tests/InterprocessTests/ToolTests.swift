import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// The tool as a person runs it: arguments, standard streams, exit status.
@Suite("ipc") struct ToolTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// What one run of the tool brought.
    struct Outcome {
        let status: Int32
        let output: [UInt8]
        let error: String
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// A run that has been started. Its streams are files, so that nobody has to read meanwhile.
    final class Run {
        private var child: ChildProcess
        private let scratch: TemporaryDirectory

        /// - Parameters:
        ///   - streams: descriptors to use for standard input and output instead.
        ///   - prefix: what a shell does before it becomes the tool.
        init(
            _ arguments: [String], input: [UInt8], in directory: TemporaryDirectory,
            streams: (FileDescriptor?, FileDescriptor?) = (nil, nil), prefix: String = "", environment: [String: String] = [:]
        ) throws {
            scratch = try TemporaryDirectory()
            try Self.write(input, to: scratch.path(of: "in"))
            let input = OwnedDescriptor(owning: try FileDescriptor.open(scratch.path(of: "in"), .readOnly, options: .closeOnExec))
            let output = OwnedDescriptor(owning: try Self.create(scratch.path(of: "out")))
            let error = OwnedDescriptor(owning: try Self.create(scratch.path(of: "err")))
            let program = try PeerProcess.program.removingLastComponent().appending("ipc")
            child = try ChildProcess(
                starting: prefix.isEmpty ? program : "/bin/sh",
                arguments: prefix.isEmpty ? arguments : ["-c", prefix + " exec \"$@\"", "sh", program.string] + arguments,
                descriptors: [(streams.0 ?? input.descriptor, 0), (streams.1 ?? output.descriptor, 1), (error.descriptor, 2)],
                environment: ["INTERPROCESS_DIRECTORY": directory.path.string].merging(environment) { $1 })
        }

        deinit { child.send(signal: Signal.kill) }

        var pid: Int32 { child.pid }
        func signal(_ number: Int32) { child.send(signal: number) }

        /// Waits for the end; a signal's number is negative.
        func outcome() async throws -> Outcome {
            var ending: ChildProcess.Ending?
            try await eventually("the end of ipc \(child.pid)") {
                ending = try child.poll()
                return ending != nil
            }
            let status: Int32 =
                switch try #require(ending) {
                case .exited(let status): status
                case .signalled(let signal): -signal
                }
            return Outcome(
                status: status, output: try Self.read(scratch.path(of: "out")),
                error: String(decoding: try Self.read(scratch.path(of: "err")), as: UTF8.self))
        }

        private static func create(_ path: FilePath) throws -> FileDescriptor {
            try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
        }

        static func write(_ bytes: [UInt8], to path: FilePath) throws {
            let file = try create(path)
            try file.closeAfter { _ = try file.writeAll(bytes) }
        }

        static func read(_ path: FilePath) throws -> [UInt8] {
            let file = OwnedDescriptor(owning: try FileDescriptor.open(path, .readOnly, options: .closeOnExec))
            var bytes = [UInt8](repeating: 0, count: try FileStatus(of: file.descriptor).size)
            let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.descriptor.readAll(into: $0, at: 0) }
            return Array(bytes[..<count])
        }
    }

    func start(_ arguments: String..., input: [UInt8] = []) throws -> Run { try Run(arguments, input: input, in: directory) }

    func ipc(_ arguments: [String]) async throws -> Outcome { try await Run(arguments, input: [], in: directory).outcome() }

    @Test(
        "T1 bad input ends in one line on standard error and a status",
        arguments: [
            ["who", "nothing"], ["remove", "nothing"], ["receive", "with/slash"], ["send", String(repeating: "n", count: 40)],
            ["send", ""],
            ["send", "x", "--capacity", "0"], ["send", "x", "--capacity", "-1"], ["send", "x", "--capacity", "9223372036854775808"],
            ["send", "x", "--capacity", "1T"], ["receive", "x", "--capacity", "1023.5G"],
            ["send", "x", "--wait", "--no-wait"], ["bench", "handoff", "--metric", "throughput"],
            ["bench", "locks", "--metric", "wakeup"], ["bench", "messaging", "--metric", "pair"],
            ["bench", "messaging", "--unpinned", "--pin", "0,1"], ["bench", "messaging", "--rounds", "0"],
            ["bench", "messaging", "--case", "nobody"], ["bench", "messaging", "--size", "7"], ["bench", "messaging", "--size", "x"],
            ["bench", "queue", "--case", "floor-memcpy", "--size", "8"],
            ["send"], ["frobnicate"], ["list", "--directory", "/nonexistent"], ["demo", "/nonexistent"], ["demo", "/dev/null"],
            ["receive", "x", "--timeout", "0.01"], ["send", "x", "--timeout", "0"], ["demo-sender"], ["demo", "--json", "/nonexistent/x"],
        ])
    func errors(arguments: [String]) async throws {
        let outcome = try await ipc(arguments)
        #expect(outcome.status > 0)
        #expect(outcome.output.isEmpty, "\(outcome.text)")
        #expect(outcome.error.hasPrefix("ipc: ") && outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
        #expect(try directory.names() == [])
    }

    @Test("T1 C3 list says how many messages a queue has dropped")
    func dropped() async throws {
        var sender = try ByteSender(
            to: "lossy", capacity: 1, options: QueueOptions(directory: directory.objects, overflow: .dropNewest))
        for number in 0..<1000 { try await sender.send([UInt8(truncatingIfNeeded: number)]) }
        let text = try await ipc(["list"]).text
        #expect(text.contains("\(sender.waiting) waiting, \(1000 - sender.waiting) dropped"), "\(text)")
        // What transfers files does not lose parts of them.
        let refused = try await ipc(["receive", "lossy"])
        #expect(refused.status > 0 && refused.error.contains("drops the newest"), "\(refused.error)")
        let json = try await ipc(["list", "--json"]).text
        #expect(json.contains("\"dropped\":\(1000 - sender.waiting)"), "\(json)")
    }

    @Test("T1 a capacity that no segment can have is a wrong argument, and the largest is said", arguments: ["1T", "1024G", "99T"])
    func largestCapacity(_ text: String) async throws {
        let outcome = try await ipc(["send", "x", "--capacity", text])
        #expect(outcome.status == 64 && outcome.error.contains("it must be at most 1023G"), "\(outcome.error)")
    }

    @Test("T1 N5 a directory that is not there, or none, is said in one line, and what to do")
    func noDirectory() async throws {
        let empty = try await ipc(["list", "--directory", ""])
        #expect(empty.error == "ipc: cannot list '': the directory's path is empty; name a directory, or none for the user's own\n")
        let missing = try await ipc(["list", "--directory", "/nonexistent"])
        #expect(missing.error.contains("there is no directory /nonexistent; make it or choose another"))
    }

    @Test(
        "T1 N5 a machine without /dev/shm is told so",
        .enabled(if: Privilege.canUnshare(["--mount"]), "needs a mount namespace"))
    func noSharedMemory() async throws {
        let empty = "exec /usr/bin/unshare --mount /bin/sh -c 'mount -t tmpfs none /dev; exec \"$@\"' sh \"$@\";"
        let outcome = try await Run(
            ["list"], input: [], in: directory, prefix: empty, environment: ["INTERPROCESS_DIRECTORY": ""]
        ).outcome()
        #expect(outcome.error.contains("there is no /dev/shm to make the user's own directory in; mount a tmpfs there, or set"))
    }

    @Test("T1 a limit of the files' size is an error in one line, and loses nothing") func fileSize() async throws {
        let options = QueueOptions(directory: directory.objects)
        var sender = try ByteSender(to: "q", options: options)
        let message = [UInt8](repeating: 7, count: 100_000)
        try unsafe sender.trySend(message.span.bytes)
        let limited = "ulimit -f 10;"
        let outcome = try await Run(["receive", "q"], input: [], in: directory, prefix: limited).outcome()
        #expect(outcome.status == 1)
        let reason = "ipc: cannot write standard output: the file would be larger than this process may make one (ulimit -f); "
        #expect(outcome.error.hasPrefix(reason) && outcome.error.contains("stays for the next receiver"))
        let creation = try await Run(["receive", "new"], input: [], in: directory, prefix: limited).outcome()
        #expect(creation.status == 1 && creation.error.contains("this process may make files of 5 KiB at most"), "\(creation.error)")
        var receiver = try ByteReceiver(from: "q", options: options)
        let found = try receiver.tryReceive { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
        #expect(found?.get() == message)
    }

    /// Both ends of a pipe, to be closed by the caller.
    private static func pipeEnds() throws -> (reading: FileDescriptor, writing: FileDescriptor) {
        let pipe = try Pipe()
        return (try pipe.reading.descriptor.duplicate(), try pipe.writing.descriptor.duplicate())
    }

    @Test("T1 standard streams that do not block are waited for") func nonblocking() async throws {
        let input = try Self.pipeEnds()
        let output = try Self.pipeEnds()
        defer { for end in [input.reading, output.reading, output.writing] { try? end.close() } }
        for end in [input.reading, output.writing] {
            let flags = fcntl(end.rawValue, F_GETFL)
            #expect(fcntl(end.rawValue, F_SETFL, flags | O_NONBLOCK) == 0)
        }
        let sending = try Run(["send", "q"], input: [], in: directory, streams: (input.reading, nil))
        let receiving = try Run(["receive", "q"], input: [], in: directory, streams: (nil, output.writing))
        // Once both are there the sender finds nothing in its pipe, and then the receiver no room in its own.
        try await eventually("both") { (try? directory.objects.status(of: "q").details?.peers.count) == 2 }
        let bytes = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        try startServiceThread(named: "test") { [writing = input.writing] in
            sleepThread(for: .milliseconds(50))
            _ = try? writing.writeAll(bytes)
            try? writing.close()
        }
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while received.count < bytes.count {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe output.reading.readWaiting(into: $0) }
            received += buffer[..<count]
        }
        #expect(received == bytes)
        let (sent, end) = (try await sending.outcome(), try await receiving.outcome())
        #expect(sent.status == 0 && end.status == 0, "\(sent.error)\(end.error)")
    }

    @Test("T1 a receiver that closes is noticed while the sender's input says nothing") func closeWhileSilent() async throws {
        let input = try Self.pipeEnds()
        defer { for end in [input.reading, input.writing] { try? end.close() } }
        let sending = try Run(["send", "q"], input: [], in: directory, streams: (input.reading, nil))
        try input.writing.writeAll([1, 2, 3])
        try await eventually("the message") { (try? directory.objects.status(of: "q").details?.queue?.get().waiting) == 1 }
        // Asleep, with room in the queue: it reads. A sender that is not there yet would find the close by itself.
        let state = FilePath("/proc/\(sending.pid)/stat")
        try await eventually("the sender at its input") {
            let file = OwnedDescriptor(owning: try FileDescriptor.open(state, .readOnly, options: .closeOnExec))
            var text = [UInt8](repeating: 0, count: 100)
            _ = try unsafe text.withUnsafeMutableBytes { try unsafe file.descriptor.readWaiting(into: $0) }
            return String(decoding: text, as: UTF8.self).contains("(ipc) S ")
        }
        do {
            var receiver = try ByteReceiver(from: "q", options: QueueOptions(directory: directory.objects))
            try await eventually("the message") { try receiver.tryReceive { $0.byteCount }?.get() == 3 }
        }
        let outcome = try await sending.outcome()
        #expect(outcome.status == 5)
        #expect(outcome.error == "ipc: the receiver has closed the queue; all 3 bytes sent had been received\n")
        #expect(try directory.names() == [])
    }

    @Test("T1 each receiver that runs gets what one sender has left") func leftBehind() async throws {
        for byte in [1, 2] as [UInt8] {
            let sent = try await Run(["send", "--no-wait", "q"], input: [byte], in: directory).outcome()
            #expect(sent.status == 0)
        }
        for byte in [1, 2] as [UInt8] {
            let received = try await ipc(["receive", "q"])
            #expect(received.status == 0 && received.output == [byte])
        }
        #expect(try directory.names() == [])
    }

    @Test("T1 what is sent is received, whoever starts first", arguments: [0, 1, 4096, 5_000_000], [true, false])
    func transfer(size: Int, receiverFirst: Bool) async throws {
        var random = SeededRandom(for: "transfer")
        let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }
        let first = receiverFirst ? try start("receive", "q") : try start("send", "q", input: bytes)
        try await eventually("the queue") { try !directory.names().isEmpty }
        let second = receiverFirst ? try start("send", "q", input: bytes) : try start("receive", "q")
        let (one, two) = (try await first.outcome(), try await second.outcome())
        #expect(one.status == 0 && two.status == 0, "\(one.error)\(two.error)")
        #expect((receiverFirst ? one : two).output == bytes)
        #expect(try directory.names() == [])
    }

    @Test("T1 L2 a receiver says who has died, and how much had come") func death() async throws {
        var sender = try ByteSender(to: "q", options: QueueOptions(directory: directory.objects))
        let receiving = try start("receive", "q")
        let sending = try start("send", "r", input: [1, 2, 3])
        try await eventually("a sender in r") { (try? directory.objects.status(of: "r").details?.queue?.get().waiting) == 1 }
        sending.signal(Signal.kill)
        _ = try await sending.outcome()
        let late = try await start("receive", "r").outcome()
        #expect(late.status == 3 && late.output == [1, 2, 3])
        #expect(late.error == "ipc: the sender (ipc, pid \(sending.pid)) died; 3 bytes had been received\n")
        // An orderly end beside it.
        let hasReceiver = sender.waitForReceiver(until: .after(watchdog))
        #expect(hasReceiver)
        sender.close()
        #expect(try await receiving.outcome().status == 0)
    }

    @Test("N8 T1 Ctrl-C leaves nothing behind", arguments: ["send", "receive"]) func interruption(command: String) async throws {
        let run = try start(command, "q", input: [1])
        try await eventually("the queue") { try directory.objects.objects().first?.details?.peers.isEmpty == false }
        run.signal(Signal.interrupt)
        let outcome = try await run.outcome()
        #expect(outcome.status == -Signal.interrupt)
        try await eventually("an empty directory") { try directory.names().isEmpty }
    }

    @Test("T1 list and who show what is there, also as JSON") func looking() async throws {
        #expect(try await ipc(["list"]).text == "There are no objects in \(directory.path).\n")
        var sender = try Sender<UInt64>(to: "numbers", options: QueueOptions(directory: directory.objects))
        try sender.trySend(1)
        let list = try await ipc(["list"]).text
        #expect(list.contains("queue of UInt64") && list.contains("alive"), "\(list)")
        let who = try await ipc(["who", "numbers"]).text
        #expect(who.contains("\(ProcessIdentity.current().pid)") && who.contains("sender"), "\(who)")
        #expect(try await ipc(["list", "--json"]).text.contains("\"waiting\":1,"))
        #expect(try await ipc(["who", "--json", "numbers"]).text.contains("\"roles\":[\"sender\"]"))
        #expect(try await ipc(["remove", "numbers"]).status == 0)
        #expect(try directory.names() == [])
    }

    @Test("T1 N8 what gc says that it would remove is what it removes; strange names are shown, and removed as they are shown")
    func cleaningUp() async throws {
        let segment = try Segment.create("dead", size: 100, in: directory.objects)
        let bytes = try Run.read(directory.path(of: "dead"))
        let strange = try #require(FilePath.Component(platformString: [CChar(bitPattern: 0xff), CChar(bitPattern: 0x41), 0]))
        for path in [directory.path(of: "copy"), directory.path.appending(strange)] { try Run.write(bytes, to: path) }
        let list = try await ipc(["list"]).text
        #expect(list.contains("\n\\xffA ") && list.contains("\ncopy ") && list.contains("it was made as 'dead'"), "\(list)")
        let json = try await ipc(["list", "--json"]).text
        #expect(json.contains("\"name\":\"\\\\xffA\"") && json.contains("with \\\"ipc remove '\\\\xffA'\\\""), "\(json)")
        let nothing = "There is nothing to remove in \(directory.path).\n"
        #expect(try await ipc(["gc", "--dry-run"]).text == nothing)
        #expect(try await ipc(["gc"]).text == nothing)
        unsafe #expect(chmod(directory.path(of: "dead").string, 0o606) == 0)
        #expect(try await ipc(["list"]).text.contains("alive; refused: everybody may write to it (mode 0606)\n"))
        #expect(try await ipc(["who", "dead"]).text.hasPrefix("'dead' cannot be opened: everybody may write to it (mode 0606)"))
        #expect(try await ipc(["remove", "\\xffA", "copy"]).text == "removed \\xffA\nremoved copy\n")
        #expect(try directory.names() == ["dead"])
        // Left over, as a killed process leaves it.
        unsafe #expect(unlink(directory.path(of: "dead").string) == 0)
        try Run.write(bytes, to: directory.path(of: "dead"))
        #expect(try await ipc(["gc", "--dry-run"]).text.hasPrefix("would remove dead ("))
        #expect(try await ipc(["gc"]).text.hasPrefix("removed dead ("))
        #expect(try directory.names() == [])
        _ = segment
    }

    @Test("T1 L2 the demonstration holds, whatever its size", arguments: ["1", "2M"]) func demo(size: String) async throws {
        let file = directory.path(of: ".file")
        let descriptor = try FileDescriptor.open(file, .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        try descriptor.closeAfter { _ = try descriptor.writeAll("a file of no great size\n".utf8) }
        let outcome = try await ipc(["demo", file.string, "--size", size, "--json", "-"])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.text.contains("\"held\":true"))
        #expect(try directory.names() == [".file"])
    }

    /// The folder of the whole package.
    static let package = FilePath("\(#filePath)").removingLastComponent().removingLastComponent().removingLastComponent()

    @Test("P7 the layout's document is what the tool prints") func layout() async throws {
        #expect(try await ipc(["layout", "--markdown"]).output == Run.read(Self.package.appending("Documentation/Layout/layout-7.md")))
    }

    @Test("P7 the README's first programs are the example's", arguments: ["Sender", "Receiver"]) func examples(side: String) throws {
        let root = Self.package
        let program = try Run.read(root.appending("Examples/01-Queue/\(side)/\(side).swift"))
        let readme = String(decoding: try Run.read(root.appending("README.md")), as: UTF8.self)
        #expect(readme.contains("```swift\n\(String(decoding: program, as: UTF8.self))```\n"))
    }
}
