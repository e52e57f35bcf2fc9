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
                field(
                    \A.names, "names", "who makes a record", "compare-exchange",
                    "64 links, as roots: the first arena object record of each bucket. A name's bucket is the FNV-1a hash, 64 bits, of its bytes modulo 64"
                ),
                field(
                    \A.references, "references", "who needs another part", "compare-exchange",
                    "24 links, as roots: the parts of the table of reference records; part 0 has 16 of them, each other one as many as all before"
                ),
                field(
                    \A.names_word, "names_word", "who names or destroys an object", "compare-exchange",
                    "a lock: as word of a synchronization object"),
                field(\A.names_heir, "names_heir", "who waits for that lock", "compare-exchange", "as heir of a synchronization object"),
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

    static let arenaObject: Structure = {
        typealias O = ipc_arena_object
        let (owner, whole) = ("who has the lock and the claim", "between two changes of stamp")
        return Structure(
            name: "arena object record", size: MemoryLayout<O>.size,
            place: "a block of an arena, named by names or by next of another; stays as long as the arena",
            fields: [
                field(\O.next, "next", "who has the lock", "compare-exchange", "a link, as roots: the next record of the bucket; 0 none"),
                field(
                    \O.object, "object", "who has the claim; who destroys", "compare-exchange",
                    "a link, as roots: the block of the values; 0 there is no object of this name, and without a living claim the record is unused"
                ),
                field(
                    \O.stamp, "stamp", owner, "release",
                    "odd while the fields below are written, and then of no name; another even number afterwards"),
                field(
                    \O.claim, "claim", "who constructs the object", "compare-exchange",
                    "bit 1 set, bits 2-31 the claim of the peer that constructs the object; 2 nobody's"),
                field(
                    \O.changes, "changes", "who waits; who constructs", "read-modify-write",
                    "bit 0 somebody sleeps until it is constructed or given up; bits 1-31 how often that was"),
                field(\O.type_hash, "type_hash", owner, whole, "FNV-1a hash, 64 bits, of the identifier of the values' type"),
                field(\O.stride, "stride", owner, whole, "bytes from one value to the next"),
                field(\O.count, "count", owner, whole, "values"),
                field(\O.name_length, "name_length", owner, whole, "bytes of the name, 1 to 192"),
                field(\O.type_length, "type_length", owner, whole, "bytes of the type that stand here, at most 64"),
                field(\O.name, "name", owner, whole, "UTF-8 without a zero"),
                field(\O.type, "type", owner, whole, "the beginning of the type's identifier"),
            ])
    }()

    static let reference: Structure = {
        typealias R = ipc_reference
        let (maker, before) = ("who makes it", "before state")
        return Structure(
            name: "reference record", size: MemoryLayout<R>.size,
            place:
                "in a part of an arena's references, which stays as long as the arena; number i of all in part 0 if it is below 16. Behind it a word of 8 bytes for each slot of the peer table: bits 0-31 how often that peer holds the value, 32-63 its claim (bit 33 set, 34-43 slot, 44-63 generation); changed by that peer, or who repairs it, by compare-exchange",
            fields: [
                field(
                    \R.state, "state", "who makes, takes, lets go", "compare-exchange",
                    "bits 32-33: 0 free, 1 being made, 2 there, 3 being destroyed; 0-31 how often it was taken, or the claim of who makes or destroys it; 34-63 generation, another for each value"
                ),
                field(
                    \R.value, "value", "who makes or destroys it", "compare-exchange",
                    "a link, as roots: the block of the value, which begins with links that are destroyed with it, and has the value at the next multiple of its alignment, at least 16; 0 none"
                ),
                field(\R.type_hash, "type_hash", maker, before, "FNV-1a hash, 64 bits, of the identifier of the value's type"),
                field(\R.size, "size", maker, before, "bytes of the value"),
                field(\R.links, "links", maker, before, "links at the beginning of the block"),
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
