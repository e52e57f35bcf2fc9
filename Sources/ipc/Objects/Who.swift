import ArgumentParser
import Interprocess
import InterprocessSystem

extension ObjectPeer {
    fileprivate var roleNames: [String] {
        [(DeathNotice.Claims.sender, "sender"), (.receiver, "receiver")].filter { holds.contains($0.0) }.map(\.1)
    }

    static var table: TextRows {
        TextRows(.left("peer"), .right("pid"), .left("program"), .left("user"), .left("since"), .left("state"), .left("part"))
    }

    var row: [String] {
        let it = information
        return [
            "\(it.id)", "\(it.pid)", it.program, accountName(ofUser: it.userID) ?? "\(it.userID)",
            localTimeText(wallClockNanoseconds: it.joinedNanoseconds), isAlive ? "alive" : "dead",
            (roleNames + parts).joined(separator: "; "),
        ]
    }

    var json: JSONValue {
        let it = information
        return .object([
            ("peer", .string("\(it.id)")), ("pid", .int(Int(it.pid))), ("program", .string(it.program)),
            ("user", .int(Int(it.userID))), ("since", .unsigned(it.joinedNanoseconds)), ("alive", .bool(isAlive)),
            ("roles", .array(roleNames.map { .string($0) })), ("parts", .array(parts.map { .string($0) })),
        ])
    }
}

/// `ipc who`.
struct Who: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show which processes have an object open.",
        discussion: """
            One line for each peer: its id, process, program and user, since when it has the object open, whether it lives, and what it \
            is to it: the sender of a queue, the holder of a lock, a subscriber and how far it is behind. A dead peer is shown until a survivor has given back what it held. Looking \
            disturbs nobody.
            """)

    @Argument(help: "The object's name.")
    var name: String
    @OptionGroup var location: DirectoryOption
    @Flag(help: "Print one JSON object instead of a table.")
    var json = false

    func run() throws {
        let object = try location.objects.status(of: try ObjectName(name))
        guard let details = object.details else {
            if case .unreadable(let error) = object.content { throw error }
            return
        }
        if json { return try Output.write(Self.json(details, object).description + "\n") }
        if let refusal = object.refusal { try Output.write("'\(name)' cannot be opened: \(refusal.reason).\n") }
        if details.peers.isEmpty { return try Output.write("Nobody has '\(name)' open.\n") }
        var table = ObjectPeer.table
        table.rows = details.peers.map(\.row)
        try Output.write(table.text())
    }

    private static func json(_ details: ObjectDetails, _ object: ObjectStatus) -> JSONValue {
        .object([
            ("name", .string(object.printableName)), ("kind", .string("\(details.header.kind)")),
            ("state", .string(object.isOpen ? "alive" : "abandoned")),
            ("refused", object.refusal.map { .string($0.reason) } ?? .null),
            ("peers", .array(details.peers.map(\.json))),
        ])
    }
}
