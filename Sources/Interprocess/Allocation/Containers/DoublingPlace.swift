/// Where an index is in parts that double: part 0 has `first` places, a power of two, part k as many as all before it.
struct DoublingPlace: Equatable {
    let part: Int
    let index: Int

    init(_ index: Int, first: Int) {
        if index < first {
            (part, self.index) = (0, index)
        } else {
            let doubling = Int.bitWidth - 1 - (index / first).leadingZeroBitCount
            (part, self.index) = (doubling + 1, index - first << doubling)
        }
    }

    static func count(ofPart part: Int, first: Int) -> Int { part == 0 ? first : first << (part - 1) }
}
