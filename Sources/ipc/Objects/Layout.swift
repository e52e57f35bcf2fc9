import ArgumentParser
import Interprocess

/// `ipc layout`.
struct Layout: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print every byte that processes share.",
        discussion: """
            A table for each structure: the offset and size of every field, who writes it and in which order, and what it means. The same \
            table gives each segment the fingerprint by which two builds know that they agree.
            """)

    @Flag(help: "Print Markdown, as in Documentation/Layout.")
    var markdown = false

    func run() throws {
        let digits = String(LayoutTable.fingerprint, radix: 16)
        let fingerprint = "0x" + String(repeating: "0", count: 16 - digits.count) + digits
        var text = markdown ? "# The shared layout, version \(LayoutTable.version)\n\n" : "Layout version \(LayoutTable.version)\n"
        text += "Fingerprint \(fingerprint). Little-endian; offsets and sizes in bytes."
        text += markdown ? " Printed by `ipc layout --markdown`.\n" : "\n"
        for structure in LayoutTable.structures {
            text += "\n\(markdown ? "## " : "")\(structure.name)\n\nSize: \(structure.size) bytes. Place: \(structure.place).\n\n"
            var table = TextRows(.right("offset"), .right("size"), .left("name"), .left("writer"), .left("order"), .left("meaning"))
            table.rows = structure.fields.map { ["\($0.offset)", "\($0.size)", $0.name, $0.writer, $0.order, cell($0.meaning)] }
            text += markdown ? table.markdown : table.text()
        }
        try Output.write(text)
    }

    /// In Markdown a bar would end the cell.
    private func cell(_ text: String) -> String { markdown ? text.split(separator: "|").joined(separator: "\\|") : text }
}
