import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("Starting programs")
struct SpawnTests {
    @Test("a program's end is its exit status or its signal, and stays known")
    func endings() throws {
        var exited = try ChildProcess(starting: try PeerProcess.program, arguments: ["exit", "7"])
        #expect(try exited.wait() == .exited(7))
        #expect(try exited.wait() == .exited(7))
        #expect(try exited.poll() == .exited(7))
        exited.send(signal: Signal.kill)  // does nothing: the number may be another's by now
        // It ends by itself when its standard input does, which may be at its end here.
        let input = try Pipe()
        var killed = try ChildProcess(
            starting: try PeerProcess.program, arguments: ["sleep"], descriptors: [(input.reading.descriptor, 0)])
        #expect(try killed.poll() == nil)
        killed.send(signal: Signal.kill)
        #expect(try killed.wait() == .signalled(Signal.kill))
        withExtendedLifetime(input) {}
    }

    @Test("a program that is not there is an error")
    func missing() {
        #expect(throws: Errno.noSuchFileOrDirectory) { _ = try ChildProcess(starting: "/nowhere/program", arguments: []) }
    }

    @Test("the environment is inherited with the changes asked for")
    func environment() async throws {
        let peer = try PeerProcess("environment", ["TEST_SPAWN", "PATH", "TEST_ABSENT"], environment: ["TEST_SPAWN": "a=b c"])
        try await peer.expect("a=b c")
        try await peer.expect(environmentVariable("PATH") ?? "nil")
        try await peer.expect("nil")
    }

    @Test("the child has the named descriptors and no others, whatever was inheritable here")
    func descriptors() async throws {
        let temporary = try TemporaryDirectory()
        let directory = try Directory(opening: temporary.path)
        let files = try (0..<3).map { _ in SharedDescriptor(try directory.makeUnnamedFile(mode: .ownerReadWrite)) }
        // As a library of somebody else's would have it: open, and not closed on exec.
        let inheritable = fcntl(files[0].descriptor.rawValue, F_DUPFD, 50)
        defer { close(inheritable) }
        let peer = try PeerProcess("descriptors", descriptors: [(files[1].descriptor, 3), (files[2].descriptor, 7)])
        try await peer.expect("0 1 2 3 7")
    }

    @Test("descriptors can change places")
    func exchange() async throws {
        // Ours 3 and 4 become theirs 4 and 3: each target is the other's source. In a process of its own, which has these numbers free.
        let peer = try PeerProcess("exchange")
        try await peer.expect("3 second")
        try await peer.expect("4 first")
    }

    @Test("K7 a child gets a descriptor of the largest number that there may be, and not of one more")
    func largestNumber() async throws {
        var limit = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var lower = limit
        lower.rlim_cur = 200
        let pipe = try Pipe()
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &lower)
        defer { unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
        for wrong in [200, .max, -1] as [CInt] {
            #expect(throws: Errno.badFileDescriptor) { _ = try PeerProcess("descriptors", descriptors: [(pipe.writing.descriptor, wrong)]) }
        }
        let peer = try PeerProcess("descriptors", descriptors: [(pipe.writing.descriptor, 199)])
        #expect(try await peer.line().split(separator: " ").contains("199"))
    }

    @Test("the child starts with no signal blocked or ignored, whatever its parent has")
    func signals() async throws {
        let peer = try PeerProcess("spawn-with-blocked-signals")
        try await peer.expect("blocked 0000000000000000")
        try await peer.expect("ignored 0")
    }
}

/// A descriptor in an array.
final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor
    init(_ owned: consuming OwnedDescriptor) { self.owned = owned }
    var descriptor: FileDescriptor { owned.descriptor }
}
