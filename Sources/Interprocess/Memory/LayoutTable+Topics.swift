import CInterprocess

/// The tables of a topic.
extension LayoutTable {
    static let topic: Structure = {
        typealias T = ipc_topic
        let creator = "creator"
        let once = "before the link"
        return Structure(
            name: "topic", size: MemoryLayout<T>.size, place: "object_offset",
            fields: [
                field(
                    \T.entries, "entries", creator, once,
                    "messages that the log keeps, a power of two. Its entries of 8 bytes stand from byte 512 on: bits 0-19 chunk + 1, or 0 before the first message; bits 20-63 lap, from 2 on"
                ),
                field(
                    \T.chunks, "chunks", creator, once,
                    "places for messages: entries + peers * (holds + 1). Behind the entries, at a multiple of 64, stand the chunks, then a bit for each, then a topic peer for each slot of the peer table"
                ),
                field(\T.holds, "holds", creator, once, "messages that a peer may hold at once"),
                field(\T.finished, "finished", "who finishes it", "release", "1: nothing more is published"),
                field(\T.message_size, "message_size", creator, once, "bytes from one chunk's message to the next, in the data"),
                field(\T.publishers, "publishers", creator, once, "0: any number; 1: one at a time"),
                field(
                    \T.items, "items", "everybody", "read-modify-write",
                    "futex of the subscribers: bit 0 somebody sleeps, bits 1-31 a number"),
                field(\T.space, "space", "everybody", "read-modify-write", "futex of the publishers, as items"),
                field(
                    \T.fences, "fences", "who opens it", "release",
                    "1: some peer takes no part in barriers, so that subscribers fence before they look at space"),
                field(
                    \T.wants, "wants", "publishers", "before space",
                    "hint: a sleeping publisher wants every lossless subscriber's cursor to reach this"),
                field(\T.joins, "joins", "lossless subscribers", "read-modify-write", "lossless subscribers that have joined so far"),
                field(\T.tail, "tail", "publishers", "release", "hint: a ticket at or before the first that no message has"),
                field(
                    \T.publisher, "publisher", "the publisher; its repairer; the next one", "compare-exchange",
                    "of a topic of one publisher: bit 1 always set, bits 2-31 the publisher's claim, 0 nobody"),
            ])
    }()

    static let topicChunk: Structure = {
        typealias C = ipc_topic_chunk
        let owner = "the publisher that has claimed it"
        return Structure(
            name: "topic chunk", size: MemoryLayout<C>.size,
            place: "in a topic; as many more words of readers behind it, in steps of 64 bytes, as a table of more than 256 peers needs",
            fields: [
                field(
                    \C.state, "state", "publishers; their repairers", "compare-exchange",
                    "bits 0-31 PeerID of who fills or filled it, 32-35 state (1 free, 2 filling: being written, or in the log), 36-63 generation"
                ),
                field(\C.ticket, "ticket", owner, "before the log's entry", "its message's place in the order"),
                field(\C.length, "length", owner, "before the log's entry", "bytes of the message"),
                field(
                    \C.reserved_bytes, "reserved_bytes", owner, "release",
                    "of its bytes in the data, so many can be written: the file system has room for them"),
                field(
                    \C.readers, "readers", "each subscriber its bit; its repairer", "read-modify-write",
                    "a bit for each slot of the peer table: that peer holds the message"),
            ])
    }()

    static let topicPeer: Structure = {
        typealias P = ipc_topic_peer
        let owner = "the peer; its repairer"
        return Structure(
            name: "topic peer", size: MemoryLayout<P>.size,
            place:
                "in a topic, one for each slot of the peer table; of a topic of one publisher with as many more words of held behind it, in steps of 128 bytes, as holds + 1 need",
            fields: [
                field(
                    \P.role, "role", owner, "read-modify-write",
                    "bits 0-31 PeerID, 32-35: 1 publisher, 2 lossy subscriber, 3 lossless subscriber; 0 nobody"),
                field(\P.cursor, "cursor", "the peer", "release", "ticket of the next message that a subscriber reads"),
                field(\P.missed, "missed", "the peer", "release", "messages that were gone before a lossy subscriber came to them"),
                field(
                    \P.intent, "intent", owner, "release",
                    "what a publisher is about to replace in the log: chunk in bits 0-19, its generation in 20-47, bit 63 set; 0: nothing"),
                field(
                    \P.reach, "reach", owner, "before held",
                    "of a topic of one publisher: the first so many words of held may not be 0"),
                field(
                    \P.held, "held", owner, "release",
                    "of a topic of one publisher: a chunk that the peer holds, plus 1; 0: none"),
            ])
    }()
}
