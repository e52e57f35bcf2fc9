import Interprocess

/// An arena's pages side by side: as characters, or as an image.
struct HeapPicture {
    /// One page, or as many as there have to be for all to fit.
    struct Cell {
        var pages = 0, free = 0, returned = 0, slabs = 0, large = 0, changing = 0, unknown = 0
        /// Of the pages of small blocks: blocks that are allocated and in somebody's hand, in bytes.
        var used = 0, inHand = 0
        /// Large blocks that begin here and are in somebody's hand.
        var largeInHand = 0
    }

    let cells: [Cell]
    let pagesPerCell: Int
    static let columns = 64

    /// - Parameter maximum: how many cells there are at most.
    init(_ map: ArenaMap, maximum: Int) {
        var pagesPerCell = 1
        while (map.pages.count + pagesPerCell - 1) / pagesPerCell > maximum { pagesPerCell *= 2 }
        self.pagesPerCell = pagesPerCell
        cells = stride(from: 0, to: map.pages.count, by: pagesPerCell).map { first in
            map.pages[first..<min(first + pagesPerCell, map.pages.count)].reduce(into: Cell()) { $0.add($1) }
        }
    }

    /// A line for each row, with how far from the beginning it is.
    var text: String {
        stride(from: 0, to: cells.count, by: Self.columns).map { first in
            let label = formatted(bytes: first * pagesPerCell * ArenaMap.pageSize)
            let row = cells[first..<min(first + Self.columns, cells.count)]
            return String(repeating: " ", count: max(0, 10 - label.count)) + label + "  " + String(row.map(\.character)) + "\n"
        }.joined()
    }

    /// What its characters mean.
    var legend: String {
        let scale = pagesPerCell == 1 ? "a page" : "\(pagesPerCell) pages"
        return """
            Each character is \(scale) of 64 KiB: \(Cell.free) free, \(Cell.returned) given back to the system, \(Cell.levels.first ?? " ") to \
            \(Cell.levels.last ?? " ") blocks that share pages, by how full they are, \(Cell.large) larger blocks, \(Cell.changing) changing\
            \(cells.contains { $0.unknown > 0 } ? ", \(Cell.unknown) no kind that there is" : "").

            """
    }

    /// An image that says what is under the pointer.
    func svg(title: String) -> String {
        let (size, gap, top) = (12, 2, 40)
        let rows = (cells.count + Self.columns - 1) / Self.columns
        let (width, height) = (Self.columns * (size + gap) + 20, top + rows * (size + gap) + 50)
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" font-family="sans-serif" font-size="13">
            <rect width="100%" height="100%" fill="#fff"/>
            <text x="10" y="24" fill="#222">\(Self.escaped(title))</text>

            """
        for (index, cell) in cells.enumerated() {
            let (x, y) = (10 + index % Self.columns * (size + gap), top + index / Self.columns * (size + gap))
            let border = cell.inHand + cell.largeInHand > 0 ? " stroke=\"#d80\" stroke-width=\"2\"" : ""
            text += """
                <rect x="\(x)" y="\(y)" width="\(size)" height="\(size)" fill="\(cell.colour)"\(border)>\
                <title>\(description(index))</title></rect>

                """
        }
        let meanings = [
            ("#eee", "free"), ("#ccd", "given back"), ("#9cf", "small blocks, few"), ("#00337f", "small blocks, full"),
            ("#084", "large blocks"),
            ("#c00", "changing, or wrong"), ("#fff\" stroke=\"#d80\" stroke-width=\"2", "in somebody's hand"),
        ]
        for (index, (colour, meaning)) in meanings.enumerated() {
            let (x, y) = (10 + index * 128, height - 28)
            text += """
                <rect x="\(x)" y="\(y)" width="12" height="12" fill="\(colour)"/>\
                <text x="\(x + 17)" y="\(y + 11)" fill="#222">\(meaning)</text>

                """
        }
        return text + "</svg>\n"
    }

    /// "pages 8…15: 3 of small blocks, 71 % full, 2 of larger blocks, 3 free".
    private func description(_ index: Int) -> String {
        let cell = cells[index], first = index * pagesPerCell
        let parts = [
            (cell.slabs, "of small blocks, \(cell.percent) % full"), (cell.large, "of larger blocks"), (cell.free, "free"),
            (cell.returned, "given back"), (cell.changing, "changing"), (cell.unknown, "of no kind that there is"),
        ]
        let pages = cell.pages == 1 ? "page \(first)" : "pages \(first)…\(first + cell.pages - 1)"
        return "\(pages): \(parts.filter { $0.0 > 0 }.map { cell.pages == 1 ? $0.1 : "\($0.0) \($0.1)" }.joined(separator: ", "))"
    }

    private static func escaped(_ text: String) -> String {
        text.split(separator: "&", omittingEmptySubsequences: false).joined(separator: "&amp;")
            .split(separator: "<", omittingEmptySubsequences: false).joined(separator: "&lt;")
    }
}

extension HeapPicture.Cell {
    static let free: Character = "·", returned: Character = "-", large: Character = "#", changing: Character = "~", unknown: Character = "?"
    static let levels: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

    mutating func add(_ page: ArenaMap.Page) {
        pages += 1
        switch page {
        case .free: free += 1
        case .returned: returned += 1
        case .slab(let blockSize, _, let used, let inHand):
            slabs += 1
            self.used += used * blockSize
            self.inHand += inHand * blockSize
        case .run(_, let isInHand):
            large += 1
            if isInHand { largeInHand += 1 }
        case .further: large += 1
        case .changing: changing += 1
        case .unknown: unknown += 1
        }
    }

    /// How full the pages of small blocks are: 0 … 1.
    private var fill: Double { slabs == 0 ? 0 : min(1, Double(used) / Double(slabs * ArenaMap.pageSize)) }
    var percent: Int { Int((fill * 100).rounded()) }

    /// By what there is most of; what is wrong always shows.
    var character: Character {
        if unknown > 0 { return Self.unknown }
        if changing > 0, changing * 2 >= pages { return Self.changing }
        if slabs == 0, large == 0 { return returned > free ? Self.returned : Self.free }
        if large >= slabs { return Self.large }
        return Self.levels[min(Self.levels.count - 1, Int(fill * Double(Self.levels.count)))]
    }

    var colour: String {
        switch character {
        case Self.unknown, Self.changing: return "#c00"
        case Self.free: return "#eee"
        case Self.returned: return "#ccd"
        case Self.large: return "#084"
        default:
            // From light to dark blue.
            func mixed(_ light: Double, _ dark: Double) -> Int { Int((light + (dark - light) * fill).rounded()) }
            return "rgb(\(mixed(0x99, 0)),\(mixed(0xcc, 0x33)),\(mixed(0xff, 0x7f)))"
        }
    }
}
