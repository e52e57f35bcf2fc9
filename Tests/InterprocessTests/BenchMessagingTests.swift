import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// `ipc bench messaging` as a program would use it, by a copy of the tool that finds the rivals that a test gives it and no others.
@Suite("ipc bench messaging", .serialized) struct BenchMessagingTests {
    private let scratch: TemporaryDirectory
    private let objects: TemporaryDirectory

    init() throws {
        scratch = try TemporaryDirectory()
        objects = try TemporaryDirectory()
        let program = try PeerProcess.program.removingLastComponent().appending("ipc")
        var copying = try ChildProcess(starting: "/bin/cp", arguments: [program.string, scratch.path(of: "ipc").string])
        guard try copying.wait() == .exited(0) else { throw Errno.ioError }
    }

    private func write(_ text: String, to path: FilePath, _ permissions: FilePermissions = .ownerReadWrite) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: permissions)
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    private func read(_ path: FilePath) throws -> String {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(path, .readOnly, options: .closeOnExec))
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.descriptor.read(fromAbsoluteOffset: 0, into: $0) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    private func start(_ arguments: [String]) throws -> ChildProcess {
        try write("", to: scratch.path(of: "out"))
        try write("", to: scratch.path(of: "err"))
        func open(_ name: String) throws -> OwnedDescriptor {
            OwnedDescriptor(owning: try FileDescriptor.open(scratch.path(of: name), .writeOnly, options: [.append, .closeOnExec]))
        }
        let null = OwnedDescriptor(owning: try FileDescriptor.open(FilePath("/dev/null"), .readWrite, options: .closeOnExec))
        let output = try open("out"), error = try open("err")
        return try ChildProcess(
            starting: scratch.path(of: "ipc"), arguments: ["bench", "messaging", "--quick", "--rounds", "1", "--json", "-"] + arguments,
            descriptors: [(null.descriptor, 0), (output.descriptor, 1), (error.descriptor, 2)],
            environment: ["INTERPROCESS_DIRECTORY": objects.path.string])
    }

    /// Runs the command to its end; the lines that it wrote, and what it said besides.
    private func measure(_ arguments: String...) async throws -> (lines: [Substring], said: String) {
        var child = try start(arguments)
        var ending: ChildProcess.Ending?
        try await eventually("the end of ipc bench messaging") {
            ending = try child.poll()
            return ending != nil
        }
        let said = try read(scratch.path(of: "err"))
        #expect(ending == .exited(0), "\(said)")
        #expect(try objects.names() == [])
        return (try read(scratch.path(of: "out")).split(separator: "\n"), said)
    }

    /// The processes that `pid` has started and that have not been reaped.
    private func children(of pid: Int32) throws -> [Int32] {
        try Directory(opening: "/proc").names().compactMap { Int32($0) }.filter { process in
            // "PID (NAME) STATE PARENT …"; the process may be gone by now.
            guard let status = try? read(FilePath("/proc/\(process)/stat")), let name = status.lastIndex(of: ")") else { return false }
            return status[name...].split(separator: " ").dropFirst(2).first == "\(pid)"
        }
    }

    /// The cases that one name must bring.
    struct Expected: Sendable {
        var subject: String
        var name: String
        var sizes: [Int]
    }

    private static let small = ["posix-mq", "unix-datagram"]

    private static func expected(_ metric: String) -> [Expected] {
        var result: [Expected] = []
        switch metric {
        case "many-to-one":
            result.append(Expected(subject: "1 sender", name: "interprocess-queue", sizes: [8, 64]))
            for subject in ["1 sender", "2 senders", "4 senders", "8 senders"] {
                for name in small + ["interprocess-shared", "interprocess-fan-in"] {
                    result.append(Expected(subject: subject, name: name, sizes: [8, 64]))
                }
            }
        case "many-to-many":
            for subject in ["2 senders, 2 receivers", "4 senders, 4 receivers"] {
                for name in small + ["interprocess-shared"] { result.append(Expected(subject: subject, name: name, sizes: [8, 64])) }
            }
        case "topic":
            for subject in ["1 subscriber", "2 subscribers", "4 subscribers", "8 subscribers"] {
                for name in ["unix-stream", "interprocess-topic"] {
                    result.append(Expected(subject: subject, name: name, sizes: [64, 1 << 20]))
                }
                for name in ["interprocess-topic-loans", "interprocess-topic-one", "interprocess-topic-one-loans"] {
                    result.append(Expected(subject: subject, name: name, sizes: [64]))
                }
            }
            result.append(Expected(subject: "1 subscriber", name: "interprocess-queue", sizes: [64]))
        default:
            result.append(Expected(subject: "polling", name: "floor-cache-line", sizes: [8]))
            for name in ["floor-two-memcpy-read", "floor-two-memcpy"] {
                result.append(Expected(subject: "polling", name: name, sizes: [1 << 20, 64 << 20]))
            }
            for subject in ["polling", "blocking"] {
                for name in ["interprocess-service", "interprocess-queues", "unix-stream"] {
                    result.append(Expected(subject: subject, name: name, sizes: [8, 4096, 1 << 20, 64 << 20]))
                }
                result.append(Expected(subject: subject, name: "interprocess-service-in-place", sizes: [4096, 1 << 20, 64 << 20]))
                result.append(Expected(subject: subject, name: "posix-mq", sizes: [8, 4096]))
            }
        }
        return result
    }

    @Test("T1 the queue and the topics are measured with one thread at both ends")
    func bothEnds() async throws {
        let (lines, _) = try await measure("--metric", "both-ends", "--unpinned")
        let names = ["queue", "topic", "topic-loans", "topic-one", "topic-one-loans"]
        for name in names { #expect(lines.contains { $0.contains("\"case\":\"interprocess-\(name)\",") }, "\(name): \(lines)") }
        #expect(lines.count == names.count && lines.allSatisfy { !$0.contains("\"median\":0.000") }, "\(lines)")
    }

    @Test(
        "T1 every case of messaging that needs nothing installed is measured, as lines of JSON",
        arguments: ["many-to-one", "many-to-many", "topic", "request-reply"])
    func cases(metric: String) async throws {
        let expected = Self.expected(metric)
        let (lines, said) = try await measure("--metric", metric, "--unpinned")
        for row in expected {
            for size in row.sizes {
                let who = "\"subject\":\"\(row.subject)\",\"case\":\"\(row.name)\",", what = "\"size\":\(size),\"metric\":\"\(metric)\""
                let found = lines.filter { $0.contains(who) && $0.contains(what) }
                #expect(found.count == 1, "\(row), \(size)")
                for line in found {
                    #expect(!line.contains("\"median\":0.000") && line.hasSuffix("\"rounds\":1}"), "\(line)")
                    // Of what several do together there are no samples.
                    #expect(line.contains("\"p99\":null") == (metric != "request-reply"), "\(line)")
                }
            }
        }
        #expect(lines.count == expected.reduce(0) { $0 + $1.sizes.count })
        #expect(lines.allSatisfy { $0.hasPrefix("{\"suite\":\"messaging\",") && $0.contains("\"placement\":\"unpinned\"") })
        let missing = said.split(separator: "\n").filter { $0.contains("not built, so left out") }
        #expect(
            missing.count == 1 && missing[0].contains("Boost.Interprocess, ZeroMQ, nng, iceoryx, OpenMPI; Benchmarks/Peers/build"),
            "\(said)")
    }

    @Test("T1 only the cases and sizes that are named are measured")
    func selection() async throws {
        let (lines, _) = try await measure("--metric", "many-to-many", "--case", "interprocess-shared,unix-datagram", "--size", "64")
        // With two and with four on each side.
        #expect(lines.count == 4 && lines.allSatisfy { $0.contains("\"size\":64,") }, "\(lines)")
        for name in ["interprocess-shared", "unix-datagram"] { #expect(lines.filter { $0.contains("\"case\":\"\(name)\"") }.count == 2) }
    }

    @Test("T1 a wake-up is measured on each placement, a group on the processors in turn")
    func placements() async throws {
        let (lines, _) = try await measure("--metric", "wakeup,many-to-many")
        let placements: Set<String> = try Processor.allowed().count > 1 ? ["two-cores", "same-core"] : ["same-core"]
        for name in ["interprocess", "interprocess-async", "futex", "posix-mq", "unix-stream"] {
            for placement in placements {
                let found = lines.filter { $0.contains("\"case\":\"\(name)\",\"placement\":\"\(placement)\"") }
                #expect(found.count == 1, "\(name), \(placement)")
            }
        }
        #expect(lines.filter { $0.contains("\"metric\":\"many-to-many\"") }.allSatisfy { $0.contains("\"placement\":\"in-turn\"") })
    }

    @Test("T1 a rival that fails is left out with its reason, the others are measured, and none of its processes is left")
    func failingRival() async throws {
        let folder = scratch.path(of: "benchmark-peers")
        _ = try Directory.make(at: folder, mode: .ownerReadWriteExecute)
        let pids = scratch.path(of: "pids")
        // One of its sides ends early, the other one does not end when it is asked to.
        let script = """
            #!/bin/sh
            [ "$2" = 1 ] && { while ! [ -s "\(pids.string)" ]; do sleep 0.01; done; exit 3; }
            trap '' TERM
            echo $$ >> "\(pids.string)"
            while :; do sleep 0.05; done

            """
        try write(script, to: folder.appending("zeromq-messages"), .ownerReadWriteExecute)
        let (lines, said) = try await measure("--metric", "wakeup")
        #expect(lines.contains { $0.contains("\"case\":\"unix-stream\"") })
        #expect(!lines.contains { $0.contains("zeromq") })
        #expect(said.contains("zeromq is left out") && said.contains("exited(3)"), "\(said)")
        #expect(said.contains("not built, so left out: Boost.Interprocess, nng, iceoryx, OpenMPI;"), "\(said)")
        let started = try read(pids).split(separator: "\n").compactMap { Int32($0) }
        #expect(!started.isEmpty)
        for pid in started {
            let gone = #expect(throws: FacilityError.self) { _ = try ProcessDescriptor(opening: pid) }
            #expect(gone?.errno == .noSuchProcess)
        }
    }

    @Test("T1 an interrupted run leaves no process, whatever it was measuring", arguments: [Signal.interrupt, Signal.kill])
    func interrupted(signal: Int32) async throws {
        var child = try start(["--metric", "many-to-many", "--rounds", "10000"])
        var workers: [Worker] = []
        try await eventually("four workers at once") {
            // Held by descriptors before the signal, so that a number cannot come to mean another process.
            let pids = try children(of: child.pid)
            guard pids.count >= 4 else { return false }
            workers = pids.compactMap { Worker($0) }
            return workers.count == pids.count
        }
        // While the coordinator cannot do anything, one is lost: the others would wait for it for ever.
        child.send(signal: Signal.stop)
        try? workers[0].descriptor.send(signal: Signal.kill)
        child.send(signal: signal)
        child.send(signal: Signal.continue)
        #expect(try child.wait() == .signalled(signal))
        for worker in workers {
            try await eventually("the end of a worker") { try worker.descriptor.hasEnded() }
        }
    }

    private final class Worker {
        let descriptor: ProcessDescriptor

        /// Nil where the process has ended meanwhile.
        init?(_ pid: Int32) {
            guard let found = try? ProcessDescriptor(opening: pid) else { return nil }
            descriptor = found
        }
    }
}
