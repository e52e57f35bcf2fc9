import CInterprocess

/// The tables of containers in an arena.
extension LayoutTable {
    private static let locked = "who has the lock"

    static let container: Structure = {
        typealias C = ipc_container
        return Structure(
            name: "container", size: MemoryLayout<C>.size,
            place: "the beginning of an array, a dictionary or a queue, which is a named object of an arena",
            fields: [
                field(\C.word, "word", "who changes the container", "compare-exchange", "a lock: as word of a synchronization object"),
                field(\C.heir, "heir", "who waits for that lock", "compare-exchange", "as heir of a synchronization object"),
                field(
                    \C.stamp, "stamp", locked, "before anything is freed or overwritten",
                    "changes so that who reads without the lock knows that what it has read may be something else"),
                field(
                    \C.coming, "coming", locked, "compare-exchange; release",
                    "a link, as roots: the block that is getting its place in the container; 0 none"),
                field(
                    \C.going, "going", locked, "release; compare-exchange",
                    "a link, as roots: the block that is losing its place and is then freed; 0 none"),
                field(\C.count, "count", locked, "release", "what is in it"),
                field(
                    \C.planned, "planned", locked, "before the change that it is for",
                    "what count becomes by what is coming or going; of an array, and 1, while elements go; 0 none"),
                field(\C.is_destroyed, "is_destroyed", locked, "release", "1: what is in it is being freed"),
            ])
    }()

    static let dictionary: Structure = {
        typealias D = ipc_dictionary
        return Structure(
            name: "dictionary", size: MemoryLayout<D>.size, place: "a container, and so many bytes of its own",
            fields: [
                field(\D.seed, "seed", "creator", "before the link", "of the hash of keys"),
                field(\D.buckets, "buckets", locked, "release", "so many buckets, a power of two"),
                field(\D.key_place, "key_place", "creator", "before the link", "bytes from the beginning of an entry to its key"),
                field(
                    \D.parts, "parts", locked, "compare-exchange",
                    "40 links, as roots: in part k from 1 on the 16 << (k - 1) buckets behind all before, of 16 bytes as the beginning of an entry"
                ),
                field(\D.first, "first", locked, "release", "the first 16 buckets; the list begins with the first of them"),
            ])
    }()

    static let dictionaryEntry: Structure = {
        typealias E = ipc_dictionary_entry
        return Structure(
            name: "dictionary entry", size: MemoryLayout<E>.size,
            place:
                "a block of an arena. Behind it, at a multiple of its alignment, the value, and at key_place the key. Buckets have the first two fields",
            fields: [
                field(\E.node.next, "next", locked, "release", "a sixteenth of the offset of the next bucket or entry; 0 none"),
                field(
                    \E.node.order, "order", locked, "before the node is in the list",
                    "the list's order: of an entry the hash of its key, its bits from the last to the first, and bit 0; of a bucket its number, the bits likewise, and bit 1 if it is in the list"
                ),
                field(\E.key_length, "key_length", "creator", "before it is in the list", "bytes"),
            ])
    }()

    static let array: Structure = {
        typealias A = ipc_array
        return Structure(
            name: "array", size: MemoryLayout<A>.size,
            place: "a container, and so many bytes of its own; behind it, at a multiple of its alignment, one element, the draft",
            fields: [
                field(
                    \A.writing, "writing", locked, "release, behind the draft",
                    "the index, and 1, of the element whose value is the draft; 0 none"),
                field(
                    \A.parts, "parts", locked, "compare-exchange",
                    "40 links, as roots: the elements; part 0 has 128 bytes or one element, rounded down to a power of two of elements, each other one as many as all before"
                ),
            ])
    }()

    static let arenaQueue: Structure = {
        typealias Q = ipc_arena_queue
        return Structure(
            name: "arena queue", size: MemoryLayout<Q>.size,
            place: "a container, of which count and planned stay 0, and so many bytes of its own",
            fields: [
                field(\Q.taken, "taken", locked, "release", "so many elements have ever been taken: the number of the first that is there"),
                field(
                    \Q.appended, "appended", locked, "read-modify-write, behind the elements", "so many elements have ever been appended"),
                field(\Q.first, "first", locked, "compare-exchange; release", "a link, as roots: the first chunk; 0 none"),
                field(
                    \Q.last, "last", locked, "release",
                    "a link, as roots: a chunk that is the one that is appended to, or before it; 0 the first one"),
                field(
                    \Q.items, "items", "who waits for an element; who appends", "read-modify-write; futex",
                    "bit 0 somebody sleeps, the others a number; as items of a shared queue"),
            ])
    }()

    static let queueChunk: Structure = {
        typealias C = ipc_queue_chunk
        return Structure(
            name: "queue chunk", size: MemoryLayout<C>.size,
            place:
                "a block of an arena, of 1,024 bytes or as many as one element needs; behind it, at a multiple of their alignment, as many elements as there is room for",
            fields: [
                field(\C.next, "next", locked, "compare-exchange", "a link, as roots: the next chunk; 0 none"),
                field(
                    \C.number, "number", locked, "before the chunk is in the list",
                    "of its first element, divided by the elements of a chunk"),
            ])
    }()

    static let string: Structure = {
        typealias S = ipc_string
        return Structure(
            name: "string", size: MemoryLayout<S>.size, place: "a named object of an arena",
            fields: [
                field(
                    \S.link, "link", "everybody", "compare-exchange",
                    "a link, as roots: a block of the length, 8 bytes, and so many bytes of UTF-8; 0 the empty string; the string itself: it is being destroyed"
                ),
                field(\S.stamp, "stamp", "everybody", "read-modify-write, before the link", "how often the link was about to change"),
            ])
    }()
}
