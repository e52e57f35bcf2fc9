import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

extension ToolTests {
    @Test("T1 all suites make one page that needs nothing else, with plots, the machine and the command")
    func benchPage() async throws {
        let page = directory.path(of: "report.html"), lines = directory.path(of: "report.json")
        let outcome = try await ipc(["bench", "all", "--rounds", "1", "--metric", "meeting", "--html", page.string, "--json", lines.string])
        #expect(outcome.status == 0, "\(outcome.error)")
        #expect(outcome.text.contains("# locks") && outcome.text.contains("Meeting, barrier"), "\(outcome.text)")
        #expect(
            try String(decoding: Run.read(lines), as: UTF8.self).split(separator: "\n").allSatisfy { $0.hasPrefix("{\"suite\":\"locks\",") }
        )
        let html = String(decoding: try Run.read(page), as: UTF8.self)
        #expect(html.hasPrefix("<!doctype html>") && html.hasSuffix("</html>\n"))
        for piece in ["Meeting, barrier", "<svg", "pthread-barrier", "Processor", "--metric meeting", "prefers-color-scheme:dark"] {
            #expect(html.contains(piece), "\(piece)")
        }
        // Nothing is fetched.
        for piece in ["http:", "https:", "src=", "@import"] { #expect(!html.contains(piece), "\(piece)") }
    }

    @Test(
        "T1 what makes no sense of all suites is refused in one line before anything is measured",
        arguments: [["--case", "pipe"], ["--size", "8"], ["--html", "/nowhere/report.html"], ["--metric", "speed"]])
    func benchNonsense(arguments: [String]) async throws {
        let outcome = try await ipc(["bench", "all"] + arguments)
        #expect(outcome.status == 64 && outcome.text.isEmpty)
        #expect(outcome.error.split(separator: "\n").count == 1, "\(outcome.error)")
    }
}
