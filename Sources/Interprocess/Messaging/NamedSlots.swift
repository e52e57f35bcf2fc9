/// Which slots the entries of rings name, looked up once: asking for each slot of a large queue anew would take minutes, in which no death is told.
///
/// For who puts right what a dead peer has left. It is to be made before the states of the slots are read: an entry stands until the state of its slot has changed, and the dead put in no more.
/// So a slot that is in the state in which the dead one left it is named now if it ever was.
@safe
struct NamedSlots: ~Copyable {
    private static let none: UInt32 = 0
    private static let several: UInt32 = .max

    private let rings: [MessageRing]
    /// One more than the generation, modulo 2^16, that the entry of each slot names.
    private let marks: UnsafeMutableBufferPointer<UInt32>

    /// O(slots + entries).
    init(slots: Int, _ rings: [MessageRing]) {
        self.rings = rings
        unsafe marks = .allocate(capacity: slots)
        unsafe marks.initialize(repeating: Self.none)
        for ring in rings { ring.forEachNamed { slot, generation in mark(slot, generation) } }
    }

    deinit { unsafe marks.deallocate() }

    private func mark(_ slot: Int, _ generation: UInt32) {
        // Shared bytes.
        guard unsafe slot < marks.count else { return }
        let mark = generation + 1
        let now = unsafe marks[slot]
        unsafe marks[slot] = now == Self.none || now == mark ? mark : Self.several
    }

    /// Whether an entry names this filling of the slot. O(1); O(entries) if several entries named the slot, one of which must be on its way out.
    func contains(_ slot: Int, generation: UInt32) -> Bool {
        let mark = unsafe marks[slot]
        if mark == Self.several { return rings.contains { $0.names(slot: slot, generation: generation) } }
        return mark == generation & 0xffff + 1
    }
}
