import ArgumentParser
import InterprocessSystem
import SystemPackage

/// `ipc facilities`.
struct Facilities: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare what the kernel has for interprocess communication.",
        discussion: """
            A row for each facility that the product InterprocessSystem has a type for: how processes come to it, who may use it, how long \
            it lasts, what it keeps together, what is seen when the other side is killed, and how much of it there may be here. \
            --check does each of these things on this kernel, with other processes that are killed, and says what is not as it stands \
            here; its status is 1 then. What only root can show is left out for others, and said.
            """)

    @Flag(help: "See whether the running kernel does what the table says.")
    var check = false
    @Flag(help: "Print JSON: an array of objects, one for each facility.")
    var json = false
    @Flag(help: "Print Markdown, as in Documentation/Facilities.md; without this machine's numbers.")
    var markdown = false

    func validate() throws {
        if json, markdown { throw ValidationError("Take --json or --markdown, not both.") }
        if check, markdown { throw ValidationError("--markdown prints the table, --check looks at the kernel: take one of them.") }
    }

    func run() throws {
        if check { return try runCheck() }
        if json { return try Output.write(JSONValue.array(FacilityTable.rows.map(json)).description + "\n") }
        if markdown { return try Output.write(Self.markdown) }
        try Output.write(Self.text)
    }

    private func json(_ row: FacilityRow) -> JSONValue {
        .object(
            [("facility", .string(row.name)), ("kind", .string(row.kind))]
                + FacilityColumn.allCases.map { ($0.rawValue, .string(row.cells[$0]!)) } + [("limit", .string(row.limit.text))])
    }

    /// All columns beside one another are wider than any terminal: so in two tables.
    private static var text: String {
        table([.identifiedBy, .handle, .access, .lasts], limit: false).text() + "\n"
            + table([.boundaries, .order, .pollable, .descriptors], limit: true).text() + "\n"
            + table([.death], limit: false).text()
    }

    private static var markdown: String {
        var all = TextRows(
            .left("facility"), .left("identified by"), .left("handle"), .left("who may use it"), .left("lasts"), .left("boundaries"),
            .left("order"), .left("pollable"), .left("carries descriptors"), .left("death of the other side"), .left("limit"))
        all.rows = FacilityTable.rows.map { row in [row.name] + FacilityColumn.allCases.map { row.cells[$0]! } + [row.limit.source] }
        return all.markdown
    }

    private static func table(_ columns: [FacilityColumn], limit: Bool) -> TextRows {
        var table = TextRows([.left("facility")] + columns.map { .left($0.rawValue) } + (limit ? [.left("limit here")] : []))
        table.rows = FacilityTable.rows.map { row in [row.name] + columns.map { row.cells[$0]! } + (limit ? [row.limit.text] : []) }
        return table
    }

    // MARK: Check

    private func runCheck() throws {
        let check = try FacilityCheck()
        let findings = FacilityTable.rows.flatMap { row in FacilityColumn.allCases.map { check.look(row, $0) } }
        let wrong = findings.filter(\.isWrong), notShown = findings.filter(\.isNotShown)
        if json {
            try Output.write(JSONValue.array(findings.map(\.json)).description + "\n")
        } else {
            for finding in wrong + notShown { try Output.write(finding.text + "\n") }
            let shown = findings.count - wrong.count - notShown.count
            try Output.write(
                "\(shown) of \(findings.count) cells are so on this kernel; \(wrong.count) are not, \(notShown.count) cannot be shown\n")
        }
        if !wrong.isEmpty { throw ExitCode(1) }
    }
}
