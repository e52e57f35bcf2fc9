import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ToolTests {
    private struct Ball: Shareable { var x = 0.0, y = 0.0 }

    /// An arena with small blocks, one large block, one in hand and a named object.
    private func arena() throws -> SharedArena {
        let arena = try SharedArena(named: "scene", options: ArenaOptions(directory: directory.objects, limit: 64 << 20))
        for _ in 0..<100 { try arena.keep(arena.allocate(byteCount: 1000)) }
        try arena.keep(arena.allocate(byteCount: 300_000))
        _ = try arena.allocate(byteCount: 64)
        _ = try arena.construct("ball \u{1b}[31m", as: Ball.self) { $0 = Ball() }
        return arena
    }

    @Test("A6 T1 inspect shows an arena's numbers, its heaps, its objects and a picture of every page")
    func inspect() async throws {
        let arena = try arena()
        let outcome = try await ipc(["inspect", "scene"])
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.error)")
        let text = outcome.text
        let statistics = arena.statistics()
        #expect(text.contains("limit        64 MiB\n") && text.contains("used         \(byteCount(statistics.used))\n"), "\(text)")
        #expect(text.contains("in hand      64 bytes\n"), "\(text)")
        #expect(text.contains("ball ?[31m") && !text.contains("\u{1b}"), "\(text)")
        #expect(text.contains("1 KiB") && text.contains("TestPeer") == false)
        // The tool's own heap is not shown: one that is somebody else's.
        #expect(text.split(separator: "\n").count { $0.contains("\(arena.segment.peer) ") } == 1, "\(text)")
        let picture = text.split(separator: "\n").filter { !$0.contains("Each") && ($0.contains("·") || $0.contains("#")) }
        let cells = picture.reduce(0) { $0 + $1.drop { $0 != "B" }.dropFirst(3).count }
        #expect(cells == arena.map().pages.count, "\(text)")
        #expect(picture.joined().count { $0 == "#" } == 5, "\(text)")  // 300,000 bytes
    }

    @Test("A6 T1 inspect writes the picture as an image, and everything as JSON")
    func inspectFiles() async throws {
        let arena = try arena()
        let image = directory.path(of: "heap.svg")
        let outcome = try await ipc(["inspect", "scene", "--svg", image.string, "--json"])
        #expect(outcome.status == 0 && outcome.error.isEmpty, "\(outcome.error)")
        #expect(outcome.text.contains("\"problems\":[]") && outcome.text.contains("\"name\":\"ball \\u001b[31m\""), "\(outcome.text)")
        #expect(outcome.text.contains("\"limit\":67108864,\"grown\":\(arena.statistics().grown),"), "\(outcome.text)")
        let svg = String(decoding: try Run.read(image), as: UTF8.self)
        #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
        #expect(svg.split(separator: "\n").count { $0.contains("<title>page") } == arena.map().pages.count)
        let refused = try await ipc(["inspect", "scene", "--svg", "/nonexistent/x.svg"])
        #expect(refused.status == 1 && refused.output.isEmpty)
        #expect(refused.error.contains("cannot write '/nonexistent/x.svg'") && refused.error.split(separator: "\n").count == 1)
    }

    @Test("A6 T1 inspect says what cannot be, and ends with 1; what is no arena is refused in one line")
    func inspectDamaged() async throws {
        let arena = try arena()
        let page = arena.core.memory.grown - 1
        arena.core.memory.pageWord(page).storeRelease(7)
        let outcome = try await ipc(["inspect", "scene"])
        #expect(outcome.status == 1)
        #expect(outcome.text.contains("Cannot be: page \(page): unknown kind") && outcome.text.contains("?"), "\(outcome.text)")
        let queue = try Sender<Int>(to: "numbers", options: QueueOptions(directory: directory.objects))
        for arguments in [["nothing"], ["numbers", "--svg", directory.path(of: "x.svg").string]] {
            let refused = try await ipc(["inspect"] + arguments)
            #expect(refused.status == 1 && refused.output.isEmpty)
            #expect(refused.error.hasPrefix("ipc: ") && refused.error.split(separator: "\n").count == 1, "\(refused.error)")
        }
        queue.close()
    }
}
