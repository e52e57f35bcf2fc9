import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

extension ToolTests {
    /// `ipc publish`, `subscribe`, `call` and `serve`, with each other and with programs.
    @Suite("messages") struct Messages {
        private let tool: ToolTests

        init() throws { tool = try ToolTests() }

        private var topics: TopicOptions { TopicOptions(directory: tool.directory.objects) }
        private var services: ServiceOptions { ServiceOptions(directory: tool.directory.objects) }

        private func object(_ name: ObjectName, _ condition: (ObjectDetails) -> Bool) async throws {
            let directory = tool.directory.objects
            try await eventually("\(name) is there") { (try? directory.status(of: name))?.details.map(condition) ?? false }
        }

        @Test("T1 what one publishes line by line the others get, the empty line and the last one without its end too")
        func lines() async throws {
            let first = try tool.start("subscribe", "news"), second = try tool.start("subscribe", "news", "--lossy", "--count", "2")
            let publisher = try tool.start("publish", "news", "--subscribers", "2", "--finish", input: Array("one\n\nthree\nend".utf8))
            let published = try await publisher.outcome()
            #expect(published.status == 0 && published.error.isEmpty && published.output.isEmpty, "\(published.error)")
            let all = try await first.outcome(), two = try await second.outcome()
            #expect(all.status == 0 && all.text == "one\n\nthree\nend\n" && all.error.isEmpty, "\(all)")
            #expect(two.status == 0 && two.text == "one\n\n", "\(two)")
            #expect(try tool.directory.names() == [])
        }

        @Test("T1 a message is whatever bytes with --raw, and those of a program's topic are the tool's")
        func raw() async throws {
            let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            var subscriber = try ByteSubscriber(to: "raw", maximumMessageSize: 8192, options: topics)
            var publisher = try BytePublisher(to: "raw", maximumMessageSize: 8192, options: topics)
            let toProgram = try await tool.start("publish", "raw", "--raw", input: bytes).outcome()
            #expect(toProgram.status == 0, "\(toProgram.error)")
            #expect(try await subscriber.receive(until: .after(.seconds(10))) == bytes)
            let reader = try tool.start("subscribe", "raw", "--raw", "--count", "2", "--history", "1")
            try await object("raw") { $0.peers.count { $0.isAlive } == 3 }
            try await publisher.publish([1, 2, 3])
            let found = try await reader.outcome()
            #expect(found.status == 0 && found.output == bytes + [1, 2, 3], "\(found.error)")
        }

        @Test("T1 a line that is too large is refused with its number and what to do, and those before it are published")
        func tooLarge() async throws {
            var subscriber = try ByteSubscriber(to: "small", maximumMessageSize: 4096, options: topics)
            let outcome = try await tool.start(
                "publish", "small", input: Array("first\n".utf8) + [UInt8](repeating: 65, count: 5000) + [10]
            ).outcome()
            #expect(outcome.status == 1 && outcome.error.contains("line 2 is larger than the 4 KiB"), "\(outcome.error)")
            #expect(try await subscriber.receive(until: .after(.seconds(10))) == Array("first".utf8))
        }

        @Test("T1 nothing that comes, and subscribers that do not, end at the deadline with status 4")
        func deadlines() async throws {
            let subscriber = try await tool.ipc(["subscribe", "silent", "--timeout", "0.05"])
            #expect(subscriber.status == 4 && subscriber.error.contains("0 messages had come"), "\(subscriber.error)")
            let publisher = try await tool.ipc(["publish", "alone", "--subscribers", "1", "--timeout", "0.05"])
            #expect(publisher.status == 4 && publisher.error.contains("0 of 1 subscribers had come"), "\(publisher.error)")
            let call = try await tool.ipc(["call", "nobody", "x", "--timeout", "0.05"])
            #expect(call.status == 4, "\(call.error)")
            let none = try await tool.ipc(["call", "nobody", "x", "--no-wait"])
            #expect(none.status == 7 && none.error.contains("has no server"), "\(none.error)")
            #expect(try tool.directory.names() == [])
        }

        @Test("T1 a command serves calls: its input is the request, its output the reply, also of megabytes and of nothing")
        func serving() async throws {
            let server = try tool.start("serve", "upper", "--", "tr", "a-z", "A-Z")
            let words = try await tool.ipc(["call", "upper", "two words"])
            #expect(words.status == 0 && words.text == "TWO WORDS", "\(words)")
            let nothing = try await tool.start("call", "upper").outcome()
            #expect(nothing.status == 0 && nothing.output.isEmpty, "\(nothing.error)")
            let large = (0..<3_000_000).map { UInt8(ascii: "a") + UInt8($0 % 26) }
            let megabytes = try await tool.start("call", "upper", input: large).outcome()
            #expect(megabytes.status == 0 && megabytes.output == large.map { $0 - 32 }, "\(megabytes.error)")
            let client = try ByteClient("upper", maximumRequestSize: 1, maximumReplySize: 1, options: services)
            #expect(try await client.call(Array("program".utf8)) == Array("PROGRAM".utf8))
            server.signal(Signal.interrupt)
            #expect(try await server.outcome().status == -Signal.interrupt)
        }

        @Test("T1 a command that fails, is killed or is not there is told to the caller, and the next call is served")
        func failing() async throws {
            let failing = try tool.start("serve", "failing", "--", "sh", "-c", "read word; kill -$word $$ || exit 3")
            let status = try await tool.ipc(["call", "failing", "nonsense"])
            #expect(status.status == 6 && status.error.contains("'sh' ended with status 3"), "\(status.error)")
            let killed = try await tool.ipc(["call", "failing", "KILL"])
            #expect(killed.status == 6 && killed.error.contains("'sh' was ended by signal 9"), "\(killed.error)")
            withExtendedLifetime(failing) {}
            let missing = try tool.start("serve", "missing", "--", "no-such-command")
            let none = try await tool.ipc(["call", "missing", "x"])
            #expect(none.status == 6 && none.error.contains("'no-such-command' ended with status 127"), "\(none.error)")
            withExtendedLifetime(missing) {}
        }

        @Test("T1 L2 a server that is killed with a call is told of, and --retries has another one do it")
        func killed() async throws {
            let first = try tool.start("serve", "slow", "--", "sh", "-c", "cat; sleep 600")
            let caller = try tool.start("call", "slow", "x")
            let client = try ByteClient("slow", maximumRequestSize: 1, maximumReplySize: 1, options: services)
            try await eventually("the call is served") { client.statistics.serving == 1 }
            first.signal(Signal.kill)
            let told = try await caller.outcome()
            #expect(told.status == 3 && told.error.contains("the server died with the call"), "\(told.error)")

            let second = try tool.start("serve", "slow", "--", "sh", "-c", "cat; sleep 600")
            let patient = try tool.start("call", "slow", "again", "--retries", "1")
            try await eventually("the second call is served") { client.statistics.serving == 1 }
            let third = try tool.start("serve", "slow", "--", "cat")
            try await eventually("there are two servers") { client.servers == 2 }
            second.signal(Signal.kill)
            let answered = try await patient.outcome()
            #expect(answered.status == 0 && answered.text == "again", "\(answered)")
            withExtendedLifetime(third) {}
        }

        @Test("T1 a command whose caller has given up is ended")
        func givenUp() async throws {
            let mark = tool.directory.path.appending(".mark")
            let server = try tool.start(
                "serve", "endless", "--", "sh", "-c", "trap 'echo ended > \(mark.string); exit' TERM; while :; do sleep 0.01; done")
            let call = try await tool.ipc(["call", "endless", "x", "--timeout", "0.3"])
            #expect(call.status == 4, "\(call.error)")
            try await eventually("the command was told to end") { (try? Run.read(mark))?.isEmpty == false }
            withExtendedLifetime(server) {}
        }

        @Test(
            "N8 T1 Ctrl-C leaves nothing behind",
            arguments: [["publish", "p"], ["subscribe", "s"], ["call", "c", "x"], ["serve", "v", "--", "cat"]])
        func interrupted(arguments: [String]) async throws {
            let pipe = try Pipe()
            let run = try Run(arguments, input: [], in: tool.directory, streams: (pipe.reading.descriptor, nil))
            try await object(try ObjectName(arguments[1])) { _ in true }
            run.signal(Signal.interrupt)
            #expect(try await run.outcome().status == -Signal.interrupt)
            #expect(try tool.directory.names() == [])
            // Until now its input has not ended.
            _ = try pipe.capacity()
        }

        @Test(
            "T1 wrong arguments are said in one line",
            arguments: [
                ["publish", "x", "--keep", "0"], ["publish", "x", "--rate", "0"], ["publish", "x", "--subscribers", "-1"],
                ["subscribe", "x", "--count", "0"], ["subscribe", "x", "--history", "some"], ["call", "x", "--retries", "-1"],
                ["serve", "x"], ["serve", "x", "--concurrency", "0", "--", "cat"], ["serve", "x", "--timeout", "1", "--", "cat"],
                ["publish", "with/slash"], ["publish", "x", "--size", "0"],
            ])
        func wrong(arguments: [String]) async throws {
            let outcome = try await tool.ipc(arguments)
            #expect(outcome.status == 64, "\(outcome)")
            #expect(outcome.error.hasPrefix("ipc: ") && outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
            #expect(try tool.directory.names() == [])
        }
    }
}
