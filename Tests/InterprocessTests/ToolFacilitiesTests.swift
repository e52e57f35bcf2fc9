import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

extension ToolTests {
    @Test("K8 T1 the running kernel does what the table of facilities says, cell by cell, and nothing is left behind")
    func facilitiesCheck() async throws {
        let before = try kernelObjects()
        let outcome = try await ipc(["facilities", "--check"])
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.text) \(outcome.error)")
        let last = outcome.text.split(separator: "\n").last.map(String.init) ?? ""
        #expect(last.contains("cells are so on this kernel; 0 are not"), "\(outcome.text)")
        // What only root can show is said, and nothing else is left out.
        let isRoot = ProcessIdentity.current().userID == 0
        #expect(last.hasSuffix(", 0 cannot be shown") || !isRoot, "\(outcome.text)")
        #expect(outcome.text.split(separator: "\n").dropLast().allSatisfy { $0.contains("not shown, only root") }, "\(outcome.text)")
        let left = try kernelObjects().subtracting(before)
        #expect(left.isEmpty)
    }

    /// Names of the kernel's own tables, and the tool's directories.
    private func kernelObjects() throws -> Set<String> {
        var found: Set<String> = []
        for table in ["msg", "sem", "shm"] {
            let text = String(decoding: try Run.read(FilePath("/proc/sysvipc/\(table)")), as: UTF8.self)
            for line in text.split(separator: "\n").dropFirst() { found.insert("\(table) \(line.split(separator: " ")[1])") }
        }
        for name in try Directory(opening: "/tmp").names() where name.hasPrefix("ipc-facilities-") { found.insert(name) }
        if let queues = try? Directory(opening: "/dev/mqueue") { found.formUnion(try queues.names().map { "queue \($0)" }) }
        return found
    }

    @Test("K8 T1 the table of facilities as text, JSON and Markdown; the document is what the tool prints")
    func facilitiesTable() async throws {
        let text = try await ipc(["facilities"])
        #expect(text.status == 0 && text.text.contains("POSIX message queue") && text.text.contains("fs.pipe-max-size = "), "\(text.text)")
        let json = try await ipc(["facilities", "--json"])
        #expect(json.status == 0 && json.text.hasPrefix("[{\"facility\":\"pipe\",") && json.text.hasSuffix("]\n"), "\(json.text)")
        let markdown = try await ipc(["facilities", "--markdown"])
        let document = String(decoding: try Run.read(Self.package.appending("Documentation/Facilities.md")), as: UTF8.self)
        #expect(document.contains(markdown.text), "print it anew: ipc facilities --markdown")
    }

    @Test(
        "T1 what makes no sense of facilities is refused in one line",
        arguments: [["--json", "--markdown"], ["--check", "--markdown"], ["pipe"]])
    func facilitiesNonsense(arguments: [String]) async throws {
        let outcome = try await ipc(["facilities"] + arguments)
        #expect(outcome.status == 64 && outcome.output.isEmpty)
        #expect(outcome.error.split(separator: "\n").count == 1 && outcome.error.contains("see 'ipc help facilities'"), "\(outcome.error)")
    }
}
