import Foundation
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// What the tool does about handoffs.
extension ToolTests {
    @Test(
        "T1 H7 bad input to the handoff's commands ends in one line on standard error and a status",
        arguments: [
            ["handoff"], ["handoff", "--seccomp", "--format", "yaml"], ["handoff", "--seccomp", "--json", "--format", "bpf"],
            ["handoff", "--seccomp", "--architecture", "aarch64"], ["handoff", "--seccomp", "--format", "bpf", "--architecture", "vax"],
            ["handoff", "--seccomp", "--otherwise", "log"], ["demo", "handoff", "--rounds", "6"], ["demo", "handoff", "--rounds", "-1"],
            ["demo", "handoff", "--kills", "63"], ["demo", "handoff", "--json", "/nonexistent/x"],
            ["demo", "handoff", "--directory", "/nonexistent"], ["demo-judge"], ["demo-contestant", "--number", "1"],
        ])
    func handoffErrors(arguments: [String]) async throws {
        let outcome = try await ipc(arguments)
        #expect(outcome.status > 0)
        #expect(outcome.output.isEmpty, "\(outcome.text)")
        #expect(outcome.error.hasPrefix("ipc: ") && outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
        #expect(try directory.names() == [])
    }

    @Test("H7 T1 the printed filter has every call of a handoff, its numbers and its reason; as JSON and as a program too")
    func printedFilter() async throws {
        let text = try await ipc(["handoff", "--seccomp"]).text
        let lines = text.split(separator: "\n").dropFirst()
        for (rule, line) in zip(Handoff.systemCallsAfterSetUp, lines) {
            let words = line.split(separator: " ")
            #expect(words[0] == rule.call.name && words[1] == "\(rule.call.number(on: .amd64))", "\(line)")
            #expect(
                words[2] == "\(rule.call.number(on: .aarch64))" && words[3] == "\(rule.action)".prefix { $0 != " " } || words[3] == "allow:"
            )
            #expect(line.hasSuffix(rule.reason))
        }
        #expect(lines.count == Handoff.systemCallsAfterSetUp.count + 1 && lines.last == "every other                    kill the process")
        let json = try object(try await ipc(["handoff", "--seccomp", "--json", "--otherwise", "refuse"]).output)
        let programs = try #require(json["program"] as? [String: [[Int]]])
        let filter = SystemCallFilter(Handoff.systemCallsAfterSetUp, otherwise: .refuse(.notPermitted))
        for architecture in SystemCallFilter.Architecture.allCases {
            let program = filter.program(for: architecture)
            let steps = program.map { [Int($0.code), Int($0.skipIfTrue), Int($0.skipIfFalse), Int($0.constant)] }
            #expect(programs[architecture.rawValue] == steps)
            let listing = try await ipc([
                "handoff", "--seccomp", "--format", "bpf", "--otherwise", "refuse", "--architecture", architecture.rawValue,
            ]).text
            let shown = listing.split(separator: "\n").dropFirst()
            #expect(shown.count == program.count)
            #expect(zip(shown, program).allSatisfy { $0.hasSuffix($1.meaning) })
        }
    }

    @Test("H7 the profile for containers that is printed answers each call as the filter that is installed does")
    func profile() async throws {
        let here = try #require(SystemCallFilter.Architecture.current)
        let profile = try object(try await ipc(["handoff", "--seccomp", "--format", "docker"]).output)
        #expect(profile["defaultAction"] as? String == "SCMP_ACT_KILL_PROCESS")
        let numbers = Dictionary(uniqueKeysWithValues: SystemCallFilter.Call.known.map { ($0.name, $0.number(on: here)) })
        // The calls that the profile answers in a way of their own, for the third and fourth arguments that the probe uses.
        var expected: Set<String> = []
        for rule in try #require(profile["syscalls"] as? [[String: Any]]) {
            let name = try #require((rule["names"] as? [String])?.first)
            let conditions = try #require(rule["args"] as? [[String: Any]])
            let action = rule["action"] as? String
            #expect(
                action == "SCMP_ACT_ALLOW" || action == "SCMP_ACT_ERRNO" && rule["errnoRet"] as? Int == Int(Errno.notPermitted.rawValue))
            if ["rt_sigreturn", "exit_group"].contains(name) { continue }
            for (protection, flags) in [(0, 0x22), (4, 0x22), (0, 2)] {
                let isMet = try conditions.allSatisfy { condition in
                    try #require(condition["op"] as? String == "SCMP_CMP_MASKED_EQ")
                    let (index, mask) = (try #require(condition["index"] as? Int), try #require(condition["value"] as? Int))
                    let argument = try #require([2: protection, 3: flags][index])
                    return argument & mask == condition["valueTwo"] as? Int
                }
                if isMet { expected.insert("\(try #require(numbers[name]))/\(protection)/\(flags)") }
            }
        }
        let probe = try PeerProcess("sandbox-probe")
        let write = SystemCallFilter.Call.write.number(on: here)
        let found = Set(try await probe.line().split(separator: " ").map(String.init).filter { !$0.hasPrefix("\(write)/") })
        #expect(found == expected)
    }

    @Test("N8 H7 the name that two under the filter leave behind is said to be abandoned, and gc removes it", arguments: [true, false])
    func leftByFiltered(killed: Bool) async throws {
        let rounds = killed ? "1000000000" : "1000"
        let sides = try ["parent", "child"].map { role in
            try PeerProcess(
                "handoff-turns", [directory.path.string, "h", role, "park", rounds, "\(try Processor.allowed()[0])", "sandboxed"])
        }
        if killed {
            try await eventually("they play") { sides.allSatisfy { SystemCallFilter.isInstalled(inProcess: $0.pid) == true } }
            // Stopped first: the second would be told of the first one's death, and end by itself.
            for side in sides { side.signal(Signal.stop) }
            for side in sides { side.kill() }
        }
        for side in sides { #expect(try await side.ending() == (killed ? .signalled(Signal.kill) : .exited(7))) }
        #expect(try directory.names() == ["h"])
        let list = try await ipc(["list"]).text
        #expect(list.contains("h ") && list.contains("abandoned"), "\(list)")
        #expect(try await ipc(["gc"]).text.hasPrefix("removed h ("))
        #expect(try directory.names() == [])
    }

    @Test("T1 H7 L2 the demonstration of handoffs holds", arguments: [(2, 0), (50, 3)])
    func handoffDemo(rounds: Int, kills: Int) async throws {
        let outcome = try await ipc(["demo", "handoff", "--rounds", "\(rounds)", "--kills", "\(kills)", "--json", "-"])
        #expect(outcome.status == 0, "\(outcome.error)")
        let report = try object(outcome.output)
        #expect(report["held"] as? Bool == true && report["found"] as? Int == rounds)
        let contestants = try #require(report["contestants"] as? [[String: Any]])
        #expect(contestants.map { $0["task"] as? String } == [String](repeating: "is killed", count: kills) + ["cheats", "plays on"])
        #expect(contestants.map { $0["signal"] as? Int } == [Int](repeating: 9, count: kills) + [31, nil])
        #expect(contestants.allSatisfy { $0["filtered"] as? Bool == true })
        #expect(contestants[kills]["openErrno"] as? Int == 1)
        #expect(try directory.names() == [])
    }

    @Test("T1 the demonstration of handoffs says what it does") func handoffDemoText() async throws {
        let outcome = try await ipc(["demo", "handoff", "--rounds", "20", "--kills", "2"])
        #expect(outcome.status == 0, "\(outcome.error)")
        for part in ["was killed with SIGKILL in the middle of round 6:", "refused (Operation not permitted)", "(SIGSYS)", "\nAll held.\n"]
        {
            #expect(outcome.text.contains(part), "\(outcome.text)")
        }
    }

    @Test("N8 T1 Ctrl-C in the demonstration of handoffs leaves nothing behind") func handoffDemoInterrupted() async throws {
        let run = try start("demo", "handoff", "--rounds", "10000000", "--kills", "0")
        try await eventually("both are there") {
            try directory.objects.objects().first?.details?.peers.count == 2
        }
        let sides = try directory.objects.objects().first?.details?.peers.map(\.information.pid) ?? []
        run.signal(Signal.interrupt)
        #expect(try await run.outcome().status == -Signal.interrupt)
        #expect(try directory.names() == [])
        try await eventually("the judge and the contestant end too") {
            sides.allSatisfy { ProcessIdentity.startTime(of: $0) == nil }
        }
    }

    private func object(_ bytes: [UInt8]) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }
}
