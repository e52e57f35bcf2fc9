import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 the number of pseudoterminals")
struct TerminalLimitTests {
    /// In a file system of terminals of its own, so that nobody else on this machine is without.
    @Test(
        "K1 there are as many pseudoterminals as may be, and not one more; one that ends makes room",
        .enabled(if: Privilege.canUnshare(["--mount"]), "needs a mount namespace"))
    func most() async throws {
        let peer = try PeerProcess(
            "terminals",
            wrapper: [
                "/usr/bin/unshare", "--mount", "sh", "-c",
                "mount -t devpts -o newinstance,max=3,ptmxmode=0666 devpts /dev/pts && exec \"$0\" \"$@\"",
            ])
        try await peer.expect("3")
        let refusal = try await peer.line()
        #expect(refusal.hasPrefix("errno 28;") && refusal.contains("kernel.pty.max"))
        try await peer.expect("again")
    }

    @Test("K1 the most that there can be is the kernel's word")
    func limit() async throws {
        let python = try PeerProcess(obeying: [])
        let most = try await python.number(of: "open('/proc/sys/kernel/pty/max').read()")
        #expect(Pseudoterminal.most() == most)
    }
}
