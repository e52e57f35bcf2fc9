import CInterprocess

/// The tables of messages between any number of processes.
extension LayoutTable {
    static let fanIn: Structure = {
        typealias F = ipc_fan_in
        let (creator, once) = ("creator", "before the link")
        return Structure(
            name: "fan-in queue", size: MemoryLayout<F>.size,
            place:
                "object_offset; behind it, from byte 512 on, a queue's table for each lane, without the words that are here (receiver_flags, receiver_cpu, receiver_event, receiver)",
            fields: [
                field(\F.lanes, "lanes", creator, once, "lanes, 1 to 256"),
                field(
                    \F.lane_size, "lane_size", creator, once,
                    "bytes of each lane's ring, whole pages; lane n's is at n * lane_size of the data"),
                field(\F.receiver_flags, "receiver_flags", "receiver; who ends it", "read-modify-write", "as a queue's"),
                field(\F.receiver_cpu, "receiver_cpu", "receiver", "relaxed", "processor it last waited on, plus 1"),
                field(
                    \F.receiver_event, "receiver_event", "senders; who begins or ends a sender's session", "read-modify-write",
                    "futex of the receiver, for all lanes"),
                field(\F.receiver, "receiver", "receivers; who ends one", "compare-exchange", "as a queue's"),
            ])
    }()

    static let sharedQueue: Structure = {
        typealias Q = ipc_shared_queue
        let creator = "creator"
        let once = "before the link"
        return Structure(
            name: "shared queue", size: MemoryLayout<Q>.size, place: "object_offset",
            fields: [
                field(
                    \Q.slots, "slots", creator, once,
                    "messages that it holds at most: waiting, being written, being worked on"),
                field(\Q.ring_size, "ring_size", creator, once, "entries of each ring: slots, rounded up to a power of two"),
                field(
                    \Q.priorities, "priorities", creator, once,
                    "rings, of which the last is looked at first; each a message ring with its entries of 8 bytes behind it, from byte 512 on. Behind them the slots, a bit for each slot, drops for each peer, each at a multiple of 64"
                ),
                field(\Q.overflow, "overflow", creator, once, "as a queue's"),
                field(
                    \Q.delivery_limit, "delivery_limit", creator, once,
                    "a message that was delivered so often and not acknowledged is a dead letter; 0: never"),
                field(\Q.finished, "finished", "who finishes it", "release", "1: nothing more is sent"),
                field(\Q.message_size, "message_size", creator, once, "bytes from one slot's message to the next, in the data"),
                field(
                    \Q.acknowledge_ns, "acknowledge_ns", creator, once, "how long a receiver may have a message; 0: as long as it lives"),
                field(
                    \Q.items, "items", "everybody", "read-modify-write",
                    "futex of the receivers: bit 0 somebody sleeps, bits 1-31 a number"),
                field(\Q.space, "space", "everybody", "read-modify-write", "futex of the senders, as items"),
                field(\Q.returns, "returns", "who returns a message", "read-modify-write", "how often a message came back from a receiver"),
                field(\Q.searched, "searched", "receivers", "compare-exchange", "of these returns, so many have been looked for in vain"),
            ])
    }()

    static let messageRing: Structure = {
        typealias R = ipc_message_ring
        return Structure(
            name: "message ring", size: MemoryLayout<R>.size,
            place:
                "in a shared queue; entries behind it: bits 0-15 slot, 16-31 generation, bit 32 there is a message, bit 33 always set, bits 34-63 lap",
            fields: [
                field(\R.tail, "tail", "senders", "release", "hint: a ticket at or before the first that no message has"),
                field(\R.head, "head", "receivers", "release", "hint: a ticket at or before the first that was not taken"),
            ])
    }()

    static let messageSlot: Structure = {
        typealias S = ipc_message_slot
        let owner = "who has claimed it"
        return Structure(
            name: "message slot", size: MemoryLayout<S>.size, place: "in a shared queue",
            fields: [
                field(
                    \S.state, "state", "everybody", "compare-exchange",
                    "bits 0-31 PeerID, 32-35 state (1 free, 2 filling, 3 taken, 4 returned, 5 dead letter), 36-43 deliveries, 44-63 generation"
                ),
                field(\S.length, "length", owner, "before the ring's entry", "bytes of the message"),
                field(\S.ticket, "ticket", "the sender", "before the ring's entry", "its place in the order"),
                field(
                    \S.taken_ns, "taken_ns", "everybody", "compare-exchange",
                    "CLOCK_MONOTONIC when it was taken, but for bits 0-7, the delivery's number, and 8-15, of the generation"),
                field(
                    \S.reserved_bytes, "reserved_bytes", owner, "release",
                    "of its bytes in the data, so many can be written: the file system has room for them"),
                field(\S.priority, "priority", "the sender", "before the ring's entry", "the ring that it is in"),
            ])
    }()

    static let messageDrops: Structure = {
        typealias D = ipc_message_drops
        let owner = "the peer; its repairer"
        return Structure(
            name: "message drops", size: MemoryLayout<D>.size, place: "in a shared queue, one for each slot of the peer table",
            fields: [
                field(\D.newest, "newest", owner, "release", "messages that the peer did not put into the full queue"),
                field(\D.oldest, "oldest", owner, "before intent", "messages that the peer took out to make room"),
                field(
                    \D.intent, "intent", owner, "release",
                    "what it is about to drop: bits 0-15 slot, 16-31 generation that the slot gets, 32-63 low half of oldest after it; 0: nothing"
                ),
            ])
    }()
}
