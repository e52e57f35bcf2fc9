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
    private struct Outcome {
        let status: Int32
        let output: [UInt8]
        let error: String
        var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// A run that has been started. Its streams are files, so that nobody has to read meanwhile.
    private final class Run {
        private var child: ChildProcess
        private let scratch: TemporaryDirectory

        init(_ arguments: [String], input: [UInt8], in directory: TemporaryDirectory) throws {
            scratch = try TemporaryDirectory()
            try Self.write(input, to: scratch.path(of: "in"))
            let input = OwnedDescriptor(owning: try FileDescriptor.open(scratch.path(of: "in"), .readOnly, options: .closeOnExec))
            let output = OwnedDescriptor(owning: try Self.create(scratch.path(of: "out")))
            let error = OwnedDescriptor(owning: try Self.create(scratch.path(of: "err")))
            child = try ChildProcess(
                starting: try PeerProcess.program.removingLastComponent().appending("ipc"), arguments: arguments,
                descriptors: [(input.descriptor, 0), (output.descriptor, 1), (error.descriptor, 2)],
                environment: ["INTERPROCESS_DIRECTORY": directory.path.string])
        }

        deinit { child.send(signal: Signal.kill) }

        var pid: Int32 { child.pid }
        func signal(_ number: Int32) { child.send(signal: number) }

        /// Waits for the end; a signal's number is negative.
        func outcome() async throws -> Outcome {
            var ending: ChildProcess.Ending?
            try await eventually("the end of ipc \(child.pid)", within: .seconds(60)) {
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

    private func start(_ arguments: String..., input: [UInt8] = []) throws -> Run { try Run(arguments, input: input, in: directory) }

    private func ipc(_ arguments: [String]) async throws -> Outcome { try await Run(arguments, input: [], in: directory).outcome() }

    @Test(
        "T1 bad input ends in one line on standard error and a status",
        arguments: [
            ["who", "nothing"], ["remove", "nothing"], ["receive", "with/slash"], ["send", String(repeating: "n", count: 40)],
            ["send", ""],
            ["send", "x", "--capacity", "0"], ["send", "x", "--capacity", "-1"], ["send", "x", "--capacity", "9223372036854775808"],
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

    @Test("T1 what is sent is received, whoever starts first", arguments: [0, 1, 4096, 5_000_000], [true, false])
    func transfer(size: Int, receiverFirst: Bool) async throws {
        var random = SeededGenerator(for: "transfer")
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
        #expect(try await ipc(["list", "--json"]).text.contains("\"name\":\"\\\\xffA\""))
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

    @Test("P7 the layout's document is what the tool prints") func layout() async throws {
        let here = FilePath("\(#filePath)").removingLastComponent()
        let document = here.removingLastComponent().removingLastComponent().appending("Documentation").appending("Layout")
        #expect(try await ipc(["layout", "--markdown"]).output == Run.read(document.appending("layout-1.md")))
    }
}
