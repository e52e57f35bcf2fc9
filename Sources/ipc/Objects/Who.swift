import ArgumentParser
import Interprocess
import InterprocessSystem

extension ObjectPeer {
    fileprivate var roleNames: [String] {
        [(DeathNotice.Claims.sender, "sender"), (.receiver, "receiver")].filter { holds.contains($0.0) }.map(\.1)
    }
}

/// `ipc who`.
struct Who: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show which processes have an object open.",
        discussion: """
            One line for each peer: its id, process, program and user, since when it has the object open, whether it lives, and what it \
            holds: for a queue the role of sender or receiver. A dead peer is shown until a survivor has given back what it held. Looking \
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
        var table = TextRows(
            .left("peer"), .right("pid"), .left("program"), .left("user"), .left("since"), .left("state"), .left("role"))
        table.rows = details.peers.map { peer in
            let it = peer.information
            return [
                "\(it.id)", "\(it.pid)", it.program, accountName(ofUser: it.userID) ?? "\(it.userID)",
                localTimeText(wallClockNanoseconds: it.joinedNanoseconds), peer.isAlive ? "alive" : "dead",
                peer.roleNames.joined(separator: ", "),
            ]
        }
        try Output.write(table.text())
    }

    private static func json(_ details: ObjectDetails, _ object: ObjectStatus) -> JSONValue {
        .object([
            ("name", .string(object.printableName)), ("kind", .string("\(details.header.kind)")),
            ("state", .string(object.isOpen ? "alive" : "abandoned")),
            ("refused", object.refusal.map { .string($0.reason) } ?? .null),
            (
                "peers",
                .array(
                    details.peers.map { peer in
                        let it = peer.information
                        return .object([
                            ("peer", .string("\(it.id)")), ("pid", .int(Int(it.pid))), ("program", .string(it.program)),
                            ("user", .int(Int(it.userID))), ("since", .unsigned(it.joinedNanoseconds)), ("alive", .bool(peer.isAlive)),
                            ("roles", .array(peer.roleNames.map { .string($0) })),
                        ])
                    })
            ),
        ])
    }
}
