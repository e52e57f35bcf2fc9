import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc inspect`.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what an object holds; of an arena, with a picture of its heap.",
        discussion: """
            Of any object: what it is, every number that it says of itself, and its peers with what they are to it: who has a lock, how far \
            each subscriber is behind. Looking disturbs nobody.

            Of an arena: how large it is and what of it is used, free, in somebody's hand (freed if that process ends now) or given back to the system; \
            the sizes of its blocks, who has heaps in it, its named objects, and whether something is in it that cannot be. An arena must be one that somebody has open, or that is kept until it is removed; it is opened for that moment as by any other process, and nothing in it changes.

            Exit status: 0; 1 if it cannot be opened, or if something in it cannot be.
            """)

    @Argument(help: "The object's name.")
    var name: String
    @OptionGroup var location: DirectoryOption
    @Option(
        help: ArgumentHelp("Also write an arena's picture as an image to a file, which says what is under the pointer.", valueName: "file"))
    var svg: String?
    @Flag(help: "Print one JSON object instead.")
    var json = false

    func run() throws {
        let object = try location.objects.status(of: try ObjectName(name))
        if let details = object.details, details.header.kind != .arena {
            if svg != nil {
                throw CommandFailure("'\(name)' is a \(details.header.kind), not an arena: there is no picture of it for --svg")
            }
            return try ObjectInspection(object: object, details: details).write(json: json)
        }
        try inspectArena()
    }

    private func inspectArena() throws {
        let arena = try SharedArena(
            named: try ObjectName(name), options: ArenaOptions(directory: location.objects, existence: .mustExist))
        let (statistics, map, problems) = (arena.statistics(), arena.map(), arena.validate())
        let objects = try arena.objects()
        if let svg { try write(HeapPicture(map, maximum: 16_384).svg(title: title(statistics)), to: svg) }
        if json {
            try Output.write(Self.json(name, statistics, objects, problems).description + "\n")
        } else {
            try Output.write(text(statistics, arena, objects))
            let picture = HeapPicture(map, maximum: HeapPicture.columns * 16)
            try Output.write("\n" + picture.text + "\n" + picture.legend)
            for problem in problems { try Output.write("Cannot be: \(problem)\n") }
        }
        if !problems.isEmpty { throw ExitCode.failure }
    }

    private func title(_ it: ArenaStatistics) -> String {
        "\(name): \(byteCount(it.used)) used of \(byteCount(it.grown)), \(formatted(it.fragmentation * 100, digits: 0)) % of its pages in use is free blocks"
    }

    private func text(_ it: ArenaStatistics, _ arena: SharedArena, _ objects: [ArenaObject]) -> String {
        var text = """
            \(title(it))

            limit        \(byteCount(it.limit))
            grown to     \(byteCount(it.grown))
            used         \(byteCount(it.used))
            in hand      \(byteCount(it.inHand))
            free pages   \(byteCount(it.freePages))
            given back   \(byteCount(it.returned))
            large blocks \(byteCount(it.runs))
            nobody's     \(byteCount(it.orphans)) in pages with blocks that nobody allocates from
            references   \(it.references) values that processes hold together, in \(it.referenceRecords) records

            """
        var classes = TextRows(.right("block"), .right("pages"), .right("used"), .right("in hand"), .right("free"))
        classes.rows = it.classes.map { [formatted(bytes: $0.blockSize), "\($0.pages)", "\($0.used)", "\($0.inHand)", "\($0.free)"] }
        if !it.classes.isEmpty { text += "\n" + classes.text() }
        var heaps = TextRows(.left("heap of"), .right("pid"), .left("program"), .right("pages"), .right("in hand"))
        let peers = arena.segment.peers
        heaps.rows = it.heaps.filter { $0.peer != arena.segment.peer }.map { heap in
            let peer = peers.first { $0.id == heap.peer }
            return [
                heap.peer.map { "\($0)" } ?? "nobody", peer.map { "\($0.pid)" } ?? "", peer?.program ?? "", "\(heap.pages)",
                byteCount(heap.inHand),
            ]
        }
        if !heaps.rows.isEmpty { text += "\n" + heaps.text() }
        var named = TextRows(.left("name"), .left("type"), .right("count"))
        named.rows = objects.map { [Self.shown($0.name), Self.shown($0.type), "\($0.count)"] }
        if !objects.isEmpty { text += "\n" + named.text() }
        return text
    }

    /// Other processes write the names: nothing that would do something to a terminal.
    private static func shown(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
    }

    private func write(_ image: String, to path: String) throws {
        do {
            let file = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try file.closeAfter { _ = try file.writeAll(image.utf8) }
        } catch let error as Errno {
            throw CommandFailure("cannot write '\(path)': \(error); name another file for --svg")
        }
    }

    private static func json(
        _ name: String, _ it: ArenaStatistics, _ objects: [ArenaObject], _ problems: [ArenaProblem]
    ) -> JSONValue {
        .object([
            ("name", .string(name)), ("limit", .int(it.limit)), ("grown", .int(it.grown)), ("used", .int(it.used)),
            ("inHand", .int(it.inHand)), ("freePages", .int(it.freePages)), ("returned", .int(it.returned)), ("runs", .int(it.runs)),
            ("orphans", .int(it.orphans)), ("references", .int(it.references)), ("fragmentation", .number(it.fragmentation, digits: 4)),
            (
                "classes",
                .array(
                    it.classes.map {
                        .object([
                            ("blockSize", .int($0.blockSize)), ("pages", .int($0.pages)), ("used", .int($0.used)),
                            ("inHand", .int($0.inHand)), ("free", .int($0.free)),
                        ])
                    })
            ),
            (
                "heaps",
                .array(
                    it.heaps.map {
                        .object([
                            ("peer", $0.peer.map { .string("\($0)") } ?? .null), ("pages", .int($0.pages)), ("inHand", .int($0.inHand)),
                        ])
                    })
            ),
            (
                "objects",
                .array(objects.map { .object([("name", .string($0.name)), ("type", .string($0.type)), ("count", .int($0.count))]) })
            ),
            ("problems", .array(problems.map { .string("\($0)") })),
        ])
    }
}
