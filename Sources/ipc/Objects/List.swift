import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc list`.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show every object of this user.",
        discussion: """
            One line for each: its name, what it is, its size and age, how many processes have it open, what is in it, as messages that wait \
            in a queue, and whether anybody is there. Objects that nobody has open are abandoned; those of them that hold nothing are what \
            'ipc gc' removes. Behind "refused" stands why an object cannot be opened. What is no object of this user's, or cannot be read, \
            is foreign, with the reason. Bytes of a name that cannot be shown are escaped, as in '\\xff', and 'ipc remove' takes the name \
            like that. Looking disturbs nobody.
            """)

    @OptionGroup var location: DirectoryOption
    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func run() throws {
        let directory = location.objects
        let objects = try directory.objects()
        if json { return try Output.write(Self.json(objects, directory).description + "\n") }
        if objects.isEmpty { return try Output.write("There are no objects in \(directory.path).\n") }
        var table = TextRows(
            .left("name"), .left("kind"), .right("size"), .right("age"), .right("peers"), .left("content"), .left("state"))
        table.rows = objects.map { Self.row($0) }
        try Output.write(table.text())
    }

    private static func row(_ object: ObjectStatus) -> [String] {
        guard let details = object.details else {
            return [object.printableName, "foreign", byteCount(object.size), "", "", "", object.stateText]
        }
        let living = details.peers.count { $0.isAlive }
        return [
            object.printableName, details.kindText, byteCount(object.size), ageText(since: details.header.createdNanoseconds),
            "\(living)", details.contentText, object.stateText,
        ]
    }

    private static func json(_ objects: [ObjectStatus], _ directory: ObjectDirectory) -> JSONValue {
        .object([("directory", .string(directory.path.string)), ("objects", .array(objects.map(\.json)))])
    }
}

extension ObjectStatus {
    /// The last column.
    var stateText: String {
        guard details != nil, let refusal else { return useText }
        return "\(useText); refused: \(refusal.cause)"
    }

    private var useText: String {
        switch content {
        case .unreadable(let error): return error.cause
        case .object(let details):
            if case .failure(let error) = details.queue { return "\(isOpen ? "alive" : "abandoned"), \(error.cause)" }
            if isOpen { return "alive" }
            if details.isGarbage { return "abandoned" }
            return details.header.lifetime == .untilRemoved ? "abandoned, kept until removed" : "abandoned, kept for its messages"
        }
    }

    var json: JSONValue {
        var members: [(String, JSONValue)] = [("name", .string(printableName)), ("size", .int(size)), ("owner", .int(Int(owner)))]
        switch content {
        case .unreadable(let error):
            members += [("state", "unreadable"), ("reason", .string(error.reason))]
        case .object(let details):
            let header = details.header
            members += [
                ("state", .string(isOpen ? "alive" : "abandoned")), ("garbage", .bool(details.isGarbage)),
                ("kind", .string("\(header.kind)")), ("element", .string(header.element.size == 0 ? "bytes" : header.element.identifier)),
                ("elementSize", .int(header.element.size)), ("capacity", .int(header.capacity)),
                ("lifetime", .string("\(header.lifetime)")), ("created", .unsigned(header.createdNanoseconds)),
                ("creatorPID", .int(Int(header.creatorPID))), ("creator", .string(header.creatorProgram)),
                ("peers", .int(details.peers.count { $0.isAlive })),
            ]
            switch details.queue {
            case .success(let statistics):
                members += [
                    ("waiting", .unsigned(statistics.waiting)), ("waitingBytes", .int(statistics.waitingBytes)),
                    ("sent", .unsigned(statistics.sent)), ("received", .unsigned(statistics.received)),
                    ("dropped", .unsigned(statistics.dropped)),
                ]
            case .failure(let error): members += [("waiting", .null), ("reason", .string(error.reason))]
            case nil: break
            }
            members.append(("figures", details.figuresJSON))
        }
        if let refusal { members.append(("refused", .string(refusal.reason))) }
        return .object(members)
    }
}

extension InterprocessError {
    /// What is the matter, without what to do about it.
    var cause: String { reason.firstRange(of: "; ").map { String(reason[..<$0.lowerBound]) } ?? reason }
}

extension ObjectDetails {
    /// "queue of UInt64", "queue of bytes", "latest value of Reading", "segment".
    var kindText: String {
        guard [.queue, .latestValue, .topic, .variable].contains(header.kind) else { return "\(header.kind)" }
        return header.element.size == 0 ? "\(header.kind) of bytes" : "\(header.kind) of \(header.element.identifier)"
    }
}

extension ObjectDetails {
    /// What is in it, in a few words: "5 waiting, 2 dropped", "taken", "3 units".
    var contentText: String {
        guard case .success(let figures) = figures else { return "?" }
        let telling = figures.filter { figure in
            guard figure.value > 0, !figure.name.hasSuffix("bytes") else { return false }
            return figure.kind != .counter || ["dropped", "missed"].contains(figure.name)
        }
        return (telling.isEmpty ? Array(figures.prefix(1)) : telling).map(\.text).joined(separator: ", ")
    }

    var figuresJSON: JSONValue {
        guard case .success(let figures) = figures else { return .null }
        return .object(figures.map { ($0.name, $0.kind == .flag ? .bool($0.value != 0) : .unsigned($0.value)) })
    }
}

extension ObjectFigure {
    fileprivate var text: String { kind == .flag ? (value == 0 ? "not \(name)" : name) : "\(value) \(name)" }
}

/// How long ago a wall-clock time was: "5 s", "12 min", "3 h", "40 d".
func ageText(since nanoseconds: UInt64) -> String {
    let now = wallClockNanoseconds()
    let seconds = (now > nanoseconds ? now - nanoseconds : 0) / 1_000_000_000
    switch seconds {
    case ..<120: return "\(seconds) s"
    case ..<7200: return "\(seconds / 60) min"
    case ..<172_800: return "\(seconds / 3600) h"
    default: return "\(seconds / 86400) d"
    }
}
