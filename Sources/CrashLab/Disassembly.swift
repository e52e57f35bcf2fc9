/// Names of places in code.
enum Disassembly {
    static func describe(_ place: String) -> String { place }
}
