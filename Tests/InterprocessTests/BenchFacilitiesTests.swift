import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// `ipc bench facilities` as a program would use it.
@Suite("ipc bench facilities") struct BenchFacilitiesTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    @Test("K8 T1 every facility that says no more than go on is measured, by its type and from C")
    func switches() async throws {
        let lines = try await benchmarkLines(["facilities", "--metric", "switch"], in: scratch)
        for name in ["eventfd", "posix-semaphore", "sysv-semaphore", "futex", "signal"] {
            let typed = lines.filter { $0.contains("\"case\":\"\(name)\",\"placement\":\"same-core\"") }
            let bare = lines.filter { $0.contains("\"case\":\"\(name)-c\",\"placement\":\"same-core\"") }
            #expect(typed.count == 1 && bare.count == 1, "\(name)")
            #expect(typed.allSatisfy { $0.contains("\"bareRatio\":") && !$0.contains("\"median\":0.000") }, "\(typed)")
        }
    }

    @Test("K8 T1 every facility that carries messages is measured there and back, and in streams of those sizes that it takes")
    func messages() async throws {
        let names = [
            "pipe", "fifo", "unix-stream", "tcp", "pseudoterminal", "unix-datagram", "unix-seqpacket", "udp", "posix-mq", "sysv-mq",
        ]
        let lines = try await benchmarkLines(["facilities", "--metric", "request-reply,stream", "--size", "64"], in: scratch)
        func count(_ name: String, _ what: String) -> Int {
            lines.count {
                $0.contains("\"case\":\"\(name)\",") && $0.contains("\"metric\":\"\(what)\"") && !$0.contains("\"median\":0.000")
            }
        }
        let placements = try Processor.allowed().count > 1 ? 2 : 1
        for name in names.flatMap({ [$0, "\($0)-c"] }) {
            #expect(count(name, "request-reply") == placements, "\(name)")
            #expect(count(name, "stream") == (name.hasPrefix("udp") ? 0 : placements - 1), "\(name)")
        }
    }
}
