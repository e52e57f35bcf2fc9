import InterprocessSystem
import SystemPackage
import TextTable

/// A table of texts.
struct TextRows {
    struct Heading {
        let title: String
        let alignment: Alignment
        static func left(_ title: String) -> Heading { Heading(title: title, alignment: .left) }
        static func right(_ title: String) -> Heading { Heading(title: title, alignment: .right) }
    }

    let headings: [Heading]
    var rows: [[String]] = []

    init(_ headings: Heading...) { self.headings = headings }
    init(_ headings: [Heading]) { self.headings = headings }

    /// With a line under the headings for a terminal; without, for whatever else reads it.
    func text(ruled: Bool = FileDescriptor.standardOutput.isTerminal) -> String {
        rendered(ruled ? Style.simple : Style.plain)
    }

    var markdown: String { rendered(Style.pipe) }

    private func rendered(_ style: any TextTableStyle.Type) -> String {
        let table = TextTable<[String]> { row in
            zip(headings, row).map { Column(title: $0.title, value: $1, align: $0.alignment) }
        }
        guard let text = table.string(for: rows, style: style) else { return "" }
        // The last column is padded too, which a terminal wraps and a diff shows.
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}
