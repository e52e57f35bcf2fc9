import CInterprocess

/// The tables of arenas.
extension LayoutTable {
    static let arena: Structure = {
        typealias A = ipc_arena
        return Structure(
            name: "arena", size: MemoryLayout<A>.size,
            place:
                "object_offset; behind it 256 arena heaps. At data_offset a page word of 8 bytes for each page; from the next multiple of 4096 on an arena slab for each page; from the next multiple of 2 MiB of the file on the pages, 64 KiB each. A page word: bits 0-2 what the page is (0 free, 1 free and without memory, 2 slab, 3 run of pages, 4 a further page of a run, 5 run that is being freed, 6 is losing its memory, of no heap: until the lock of byte 2^61 is free), 8-13 size class of a slab, 16 a run in hand, 17 a further page without memory yet, 18-26 heap and 1 (0 none), 32-63 pages of a run, or how far behind its first",
            fields: [
                field(\A.pages, "pages", "creator", "before the link", "pages of 64 KiB that it can have at most"),
                field(
                    \A.grown, "grown", "who needs more", "compare-exchange",
                    "so many pages, from the first on, are reserved, with their words and bits; never fewer"),
                field(
                    \A.orphaned, "orphaned", "who ends a heap", "read-modify-write, after the page words",
                    "how often slabs have lost their owner"),
                field(
                    \A.heaps_used, "heaps_used", "who claims a heap", "compare-exchange, before the claim",
                    "no heap behind this number was ever claimed"),
                field(
                    \A.roots, "roots", "everybody", "compare-exchange",
                    "64 links: bits 0-35 a sixteenth of the offset of a block, 0 none; while it is being changed bit 63, bits 40-47 the heap that does it and 48-62 the number of its change"
                ),
            ])
    }()

    static let arenaHeap: Structure = {
        typealias H = ipc_arena_heap
        let (owner, before) = ("its owner; a repairer", "before intent")
        return Structure(
            name: "arena heap", size: MemoryLayout<H>.size, place: "behind the arena",
            fields: [
                field(
                    \H.claim, "claim", "its owner; a repairer", "compare-exchange",
                    "bit 1 set, bits 2-31 the claim of the peer whose it is; 0 nobody's"),
                field(
                    \H.intent, "intent", "its owner; who helps; a repairer", "compare-exchange",
                    "bit 0 the link is being changed, bit 1 it has been changed, bits 48-62 the number of the change; 0 none"),
                field(\H.link, "link", owner, before, "offset of the link that is being changed"),
                field(\H.fresh, "fresh", owner, before, "offset of the block that it is to name, which is in hand until then; 0 none"),
                field(\H.old, "old", owner, before, "offset of the block that it names, and which is to be freed; 0 none"),
            ])
    }()

    static let arenaSlab: Structure = {
        typealias S = ipc_arena_slab
        return Structure(
            name: "arena slab", size: MemoryLayout<S>.size, place: "one for each page of an arena",
            fields: [
                field(
                    \S.free_held, "free_held", "the heap that has the slab", "release",
                    "64 pairs of words of 64 bits, one bit for each block: free, held. Held and not free: in hand of the slab's heap"),
                field(
                    \S.freed, "freed", "everybody; the heap that has the slab", "read-modify-write",
                    "a bit for each block: freed by another than the slab's heap, which has not yet taken that over"),
            ])
    }()
}
