import CInterprocess

/// The shared layout as a table: every field with its place, who writes it, in which order, and what it means.
///
/// `ipc layout` prints it, `Documentation/Layout` holds the printed form, and the header of each segment holds its ``fingerprint``.
package enum LayoutTable {
    package struct Field: Sendable, Equatable {
        package let offset: Int, size: Int
        package let name: String
        package let writer: String
        package let order: String
        package let meaning: String
    }

    package struct Structure: Sendable, Equatable {
        package let name: String
        package let size: Int
        package let place: String
        package let fields: [Field]
    }

    package static let version = Int(IPC_LAYOUT_VERSION)

    /// FNV-1a over the names, offsets and sizes of all fields: two builds with the same value agree on every byte's place.
    package static let fingerprint: UInt64 = fnv1a(
        structures.flatMap { structure in
            structure.fields.flatMap { "\(structure.name).\($0.name):\($0.offset):\($0.size);".utf8 }
                + Array("\(structure.name)=\(structure.size);".utf8)
        })

    package static let structures: [Structure] = [
        header, deathRecord, peerSlot, queue, queueProgress, fanIn, handoff, handoffSide, handoffSlice, synchronization,
        sharedQueue, messageRing, messageSlot, messageDrops, topic, topicChunk, topicPeer, service, call, notifierGroup, latestValue,
        latestVersion, variable, arena, arenaHeap, arenaObject, arenaSlab, reference, container,
        dictionary, dictionaryEntry, array, arenaQueue, queueChunk, string,
    ]

    static func field<Root, Value>(
        _ path: KeyPath<Root, Value>, _ name: String, _ writer: String, _ order: String, _ meaning: String
    ) -> Field {
        guard let offset = MemoryLayout<Root>.offset(of: path) else { preconditionFailure("\(name) is not a stored field") }
        return Field(offset: offset, size: MemoryLayout<Value>.size, name: name, writer: writer, order: order, meaning: meaning)
    }

    private static let header: Structure = {
        typealias H = ipc_segment_header
        let creator = "creator"
        let once = "before the link"
        return Structure(
            name: "segment header", size: MemoryLayout<H>.size, place: "offset 0 of every segment",
            fields: [
                field(\H.magic, "magic", creator, once, "0xff 'IPCSEG1'"),
                field(\H.layout_version, "layout_version", creator, once, "version of this table"),
                field(
                    \H.kind, "kind", creator, once,
                    "1 plain segment, 2 queue, 3 handoff, 4 mutex, 5 semaphore, 6 permits, 7 condition, 8 reader-writer lock, 9 barrier, 10 latch, 11 event, 12 once, 13 latest value, 14 shared queue, 15 topic, 16 service, 17 notifier, 18 arena, 19 variable, 20 fan-in queue"
                ),
                field(\H.fingerprint, "fingerprint", creator, once, "FNV-1a of this table's names, offsets and sizes"),
                field(\H.segment_size, "segment_size", creator, once, "bytes of the whole file"),
                field(\H.created_ns, "created_ns", creator, once, "CLOCK_REALTIME"),
                field(\H.creator_pid, "creator_pid", creator, once, "process id in the creator's pid namespace"),
                field(\H.creator_uid, "creator_uid", creator, once, "effective user id"),
                field(\H.lifetime, "lifetime", creator, once, "0 until the last peer leaves, 1 until removed"),
                field(\H.peer_capacity, "peer_capacity", creator, once, "slots in the peer table"),
                field(\H.peer_offset, "peer_offset", creator, once, "offset of the peer table, 4096"),
                field(\H.object_offset, "object_offset", creator, once, "offset of the object's control block"),
                field(\H.data_offset, "data_offset", creator, once, "offset of the object's data"),
                field(\H.data_size, "data_size", creator, once, "bytes, whole pages, to the end of the file"),
                field(\H.capacity, "capacity", creator, once, "in the object's unit: messages, or bytes if element_size is 0"),
                field(\H.element_size, "element_size", creator, once, "bytes from one element to the next; 0: messages of any size"),
                field(\H.element_alignment, "element_alignment", creator, once, "of an element; 8 for bytes"),
                field(\H.element_hash, "element_hash", creator, once, "FNV-1a of element_identifier"),
                field(\H.incarnation, "incarnation", creator, once, "random; another for each creation of a name"),
                field(\H.name, "name", creator, once, "object name, zero-padded; zero if anonymous"),
                field(\H.creator_program, "creator_program", creator, once, "zero-terminated"),
                field(\H.element_identifier, "element_identifier", creator, once, "zero-padded"),
                field(
                    \H.reserved_size, "reserved_size", creator, once,
                    "bytes of the file that were reserved when it was made; the rest is reserved as it is needed"),
                field(\H.deaths, "deaths", "repairer", "release", "deaths announced so far; futex of all who sleep on a death"),
                field(
                    \H.membership, "membership", "keepers", "read-modify-write", "joins, leavings and deaths so far; futex of the keepers"),
                field(\H.repair, "repair", "keepers", "compare-exchange", "PeerID of the peer that repairs; 0: nobody"),
                field(\H.death_records, "death_records", "repairer", "before deaths", "32 records; the one of death n at n mod 32"),
            ])
    }()

    private static let deathRecord: Structure = {
        typealias D = ipc_death_record
        let writer = "repairer"
        let order = "before deaths"
        return Structure(
            name: "death record", size: MemoryLayout<D>.size, place: "in the header",
            fields: [
                field(\D.peer, "peer", writer, order, "PeerID of the dead"),
                field(\D.repairer, "repairer", writer, order, "PeerID of the peer that repaired; 0: an opener that was alone"),
                field(\D.pid, "pid", writer, order, "process id of the dead in its own pid namespace"),
                field(\D.uid, "uid", writer, order, "effective user id of the dead"),
                field(
                    \D.held, "held", writer, order,
                    "a bit for each kind of claim that was given back: 0 sender, 1 receiver, 2 side of a handoff, 3 lock, 4 permits, 5 party at a barrier, 6 messages, 7 calls, 8 heaps of an arena"
                ),
                field(\D.noticed_ns, "noticed_ns", writer, order, "CLOCK_MONOTONIC when the repair began"),
                field(\D.program, "program", writer, order, "program of the dead, zero-terminated"),
            ])
    }()

    private static let peerSlot: Structure = {
        typealias P = ipc_peer_slot
        let before = "before state"
        return Structure(
            name: "peer slot", size: MemoryLayout<P>.size, place: "peer_offset + 128 · slot",
            fields: [
                field(
                    \P.life, "life", "its keeper; the kernel; a repairer", "compare-exchange; robust futex",
                    "0 free, TID|WAITERS alive, DIED|WAITERS dead and not repaired"),
                field(
                    \P.generation, "generation", "who gives the slot back", "before life = 0",
                    "1 … 2^22 - 1; with the slot number it makes the PeerID"),
                field(\P.state, "state", "its keeper", "release", "0 joining, 1 joined: all below is in place"),
                field(\P.pid, "pid", "its keeper", before, "process id in its own pid namespace"),
                field(\P.start_time, "start_time", "its keeper", before, "of the process, clock ticks since boot"),
                field(\P.pid_namespace, "pid_namespace", "its keeper", before, "inode of its pid namespace"),
                field(\P.joined_ns, "joined_ns", "its keeper", before, "CLOCK_REALTIME"),
                field(\P.uid, "uid", "its keeper", before, "effective user id"),
                field(
                    \P.caller_life, "caller_life", "its keeper; the kernel; a repairer", "robust futex",
                    "as life, for blocked callers only: the kernel wakes one sleeper of each word"),
                field(\P.program, "program", "its keeper", before, "zero-terminated"),
            ])
    }()

    private static let queue: Structure = {
        typealias Q = ipc_queue
        let roles = "bits 0-31 PeerID, 32-53 session, 56-59 ending of the session before, 60-63 ending (0 none, 1 closed, 2 died)"
        return Structure(
            name: "queue", size: MemoryLayout<Q>.size, place: "object_offset",
            fields: [
                field(
                    \Q.consumed, "consumed", "receiver; a sender that drops the oldest", "release; compare-exchange",
                    "position up to which all is taken; if the queue drops the oldest, bits 0-2 name the entry in force: 0, 1 progress, 2, 3 dropping"
                ),
                field(\Q.reported, "reported", "receiver", "release", "last sender's session whose ending was told"),
                field(
                    \Q.progress, "progress", "receiver", "before consumed",
                    "two entries; the one whose position equals consumed is in force"),
                field(
                    \Q.receiver_flags, "receiver_flags", "receiver; enders", "read-modify-write",
                    "1 open, 2 sleeping, 4 fence, 8 ended, 16 attentive; bits 8-31 the event it sleeps on"),
                field(\Q.receiver_cpu, "receiver_cpu", "receiver", "relaxed", "processor it last waited on, plus 1"),
                field(\Q.sender_flags, "sender_flags", "sender; enders", "read-modify-write", "as receiver_flags"),
                field(\Q.sender_cpu, "sender_cpu", "sender", "relaxed", "processor it last waited on, plus 1"),
                field(\Q.sender_wants, "sender_wants", "sender", "before sleeping", "the sleeping sender wants consumed to reach this"),
                field(\Q.receiver_event, "receiver_event", "sender; enders", "read-modify-write", "futex of the receiver"),
                field(\Q.sender_event, "sender_event", "receiver; enders", "read-modify-write", "futex of the sender"),
                field(\Q.sender, "sender", "sender; whoever finds it dead", "compare-exchange", roles),
                field(\Q.receiver, "receiver", "receiver; whoever finds it dead", "compare-exchange", roles),
                field(
                    \Q.overflow, "overflow", "creator", "before the link",
                    "when the queue is full: 0 the sender waits, 1 the newest message is dropped, 2 the oldest"),
                field(\Q.dropping, "dropping", "sender", "before consumed", "two entries, if the queue drops the oldest"),
                field(
                    \Q.dropped_newest, "dropped_newest", "sender", "release",
                    "messages never put into the queue, if it drops the newest"),
            ])
    }()

    private static let handoff: Structure = {
        typealias H = ipc_handoff
        let giver = "who gives the turn"
        let before = "before turn"
        return Structure(
            name: "handoff", size: MemoryLayout<H>.size, place: "object_offset",
            fields: [
                field(
                    \H.turn, "turn", "who has it; who makes a pair", "release; compare-exchange",
                    "bits 0-21 the parent's session, 22-43 the child's: the pair; bit 63 whose turn it is, 1 the child's"),
                field(\H.value, "value", "each side its own", "before turn", "what the parent, and the child, gave with the turn"),
                field(
                    \H.used, "used", "each side its own", "before turn",
                    "bytes of the data that each side has allocated: the parent from the start on, the child from the end down"),
                field(
                    \H.kind, "kind", giver, before,
                    "what the turn was given with: 0 a value, 1 a call, 2 an answer, 3 unknown method, 4 failure, 5 refusal"),
                field(\H.method, "method", giver, before, "of a call"),
                field(\H.depth, "depth", giver, before, "calls that are open, this one (or the one that is answered) among them"),
                field(\H.size, "size", giver, before, "bytes of scalars: the arguments of a call, the output of an answer"),
                field(\H.output_size, "output_size", giver, before, "of a call: bytes of scalars that its answer has"),
                field(
                    \H.code, "code", giver, before,
                    "of a failure: the method's own, 0 none; of a refusal: 1 arguments, 2 output, 3 offset, 4 count, 5 element, 6 room, 7 depth"
                ),
                field(\H.scalars, "scalars", giver, before, "arguments or output, by value: the fields of one C structure"),
                field(\H.parent, "parent", "see handoff side", "", "the parent's words"),
                field(\H.child, "child", "see handoff side", "", "the child's words"),
            ])
    }()

    private static let handoffSide: Structure = {
        typealias S = ipc_handoff_side
        return Structure(
            name: "handoff side", size: MemoryLayout<S>.size, place: "in the handoff",
            fields: [
                field(
                    \S.role, "role", "the side; whoever finds it dead", "compare-exchange",
                    "as a queue's sender; ending 3: another came as the same"),
                field(\S.flags, "flags", "the side; enders", "read-modify-write", "as a queue's receiver_flags"),
                field(\S.cpu, "cpu", "the side", "relaxed", "processor it last waited on, plus 1"),
                field(\S.event, "event", "the other side; enders", "read-modify-write", "futex of the side"),
            ])
    }()

    private static let synchronization: Structure = {
        typealias S = ipc_sync
        let maker = "who makes it"
        let before = "before ready"
        return Structure(
            name: "synchronization object", size: MemoryLayout<S>.size, place: "object_offset, or where the user put it",
            fields: [
                field(
                    \S.ready, "ready", maker, "release",
                    "0 nothing is here, 1 made, or, while kind is 0x474b414d, the PeerID of who is making it"),
                field(\S.kind, "kind", maker, before, "as a segment's"),
                field(\S.element_hash, "element_hash", maker, before, "FNV-1a of the type of the value that it guards; 0: none"),
                field(\S.element_size, "element_size", maker, before, "bytes of the value"),
                field(
                    \S.limit, "limit", maker, before,
                    "permits: units; barrier: parties; latch: the count at first; event: 1 if it resets itself; notifier: ids; latest value: versions; variable: 2 places"
                ),
                field(
                    \S.slots, "slots", maker, before,
                    "pairs of words of 8 bytes behind this block, one for each peer: what it has taken, by the holder of word; what it has given back of that, by itself; each in bits 32-63, PeerID in 0-31"
                ),
                field(
                    \S.word, "word", "everybody", "compare-exchange; FUTEX_WAKE_OP",
                    "bit 0 somebody sleeps, bit 1 always set; bits 2-31 the claim of the holder (2-11 slot, 12-31 generation), or a number"),
                field(
                    \S.heir, "heir", "who has waited for long", "compare-exchange",
                    "who takes next: bit 0 it has been told, bit 1 always set, bits 2-31 its claim; futex of the heir and of those who stand back"
                ),
                field(
                    \S.inconsistent, "inconsistent", "the holder", "before word",
                    "PeerID of the holder that died with the value in its hands; 0 none"),
                field(
                    \S.changes, "changes", "the holder of word", "release",
                    "bit 0 somebody sleeps, bit 1 always set, bits 2-31 changes so far; futex of those who wait"),
                field(\S.taken, "taken", "the holder of word", "before word", "units held or readers: the sum over the slots"),
                field(\S.deaths_seen, "deaths_seen", "the holder of word", "before word", "deaths when the slots were last looked through"),
                field(\S.writer, "writer", "the holder of word", "before word", "PeerID of the writer; 0 none"),
                field(\S.phase, "phase", "the holder of word", "before changes", "barrier: phases completed"),
                field(
                    \S.broken, "broken", "the holder of word", "before changes",
                    "barrier: bits 0-31 how often a party was lost, 32-63 the PeerID of the last one"),
                field(
                    \S.next, "next", "the holder of word", "before word",
                    "permits, reader-writer lock: PeerID of who takes next, since it has waited for long; 0 none"),
                field(\S.started, "started", "the holder of word", "before word", "barrier: 1 once all parties had come"),
                field(
                    \S.given_back, "given_back", "who gives back", "read-modify-write",
                    "how often something was given back by a peer that was not in the lock"),
                field(
                    \S.given_back_seen, "given_back_seen", "the holder of word", "before word",
                    "given_back when the slots were last looked through"),
            ])
    }()

    private static let notifierGroup: Structure = {
        typealias G = ipc_notifier_group
        return Structure(
            name: "notifier group", size: MemoryLayout<G>.size, place: "behind a notifier's synchronization object, one for each 64 ids",
            fields: [
                field(
                    \G.changes, "changes", "who notifies", "read-modify-write, after counts",
                    "how often somebody was notified of an id of this group; never goes down"),
                field(\G.counts, "counts", "who notifies", "read-modify-write", "notifications of each id; never goes down"),
            ])
    }()

    private static let latestValue: Structure = {
        typealias L = ipc_latest
        return Structure(
            name: "latest value", size: MemoryLayout<L>.size, place: "behind its synchronization object, whose word the writer holds",
            fields: [
                field(
                    \L.current, "current", "the holder of word; the mark who sleeps", "addition; compare-exchange",
                    "bit 0 somebody sleeps, bit 1 always set, bits 2-31 the number of the newest version modulo 2^30; futex of those who wait"
                )
            ])
    }()

    private static let latestVersion: Structure = {
        typealias V = ipc_latest_version
        return Structure(
            name: "version of a latest value", size: MemoryLayout<V>.size,
            place: "4 of them behind the latest value, at multiples of 64; number n in the one at n mod 4",
            fields: [
                field(
                    \V.stamp, "stamp", "the holder of word", "release",
                    "bit 0 it is being written, bits 1-63 its number; the value follows at the next multiple of its alignment")
            ])
    }()

    private static let variable: Structure = {
        typealias V = ipc_variable
        let sleeping = "bit 0 one sleeps, bits 1-31 a number; futex of those who wait to "
        let next = "since it has waited for long: bit 1 always set, bits 2-31 its claim, 0 nobody"
        return Structure(
            name: "variable", size: MemoryLayout<V>.size,
            place:
                "behind its synchronization object; two values follow at the next multiple of their alignment, number n in the one at n mod 2",
            fields: [
                field(
                    \V.control, "control", "everybody", "compare-exchange",
                    "bit 0 full, bit 1 always set, bits 2-31 the claim of who is changing it, 0 nobody; bits 32-63 the number of the last value modulo 2^32"
                ),
                field(\V.takers, "takers", "who waits; who wakes", "read-modify-write; FUTEX_WAKE_OP", sleeping + "take or change"),
                field(\V.putters, "putters", "who waits; who wakes", "read-modify-write; FUTEX_WAKE_OP", sleeping + "put"),
                field(\V.readers, "readers", "who waits; who wakes", "read-modify-write; FUTEX_WAKE_OP", sleeping + "read"),
                field(\V.next_taker, "next_taker", "who has waited for long", "compare-exchange", "who takes next, " + next),
                field(\V.next_putter, "next_putter", "who has waited for long", "compare-exchange", "who puts next, " + next),
            ])
    }()

    private static let handoffSlice: Structure = {
        typealias S = ipc_handoff_slice
        let writer = "who gives the turn"
        let before = "before turn"
        return Structure(
            name: "handoff slice", size: MemoryLayout<S>.size, place: "among the scalars of a handoff",
            fields: [
                field(
                    \S.offset, "offset", writer, before,
                    "bytes from data_offset to the first element, a multiple of the element's alignment"),
                field(\S.count, "count", writer, before, "elements"),
                field(\S.element_size, "element_size", writer, before, "bytes from one element to the next"),
                field(
                    \S.element_code, "element_code", writer, before,
                    "of a number its letter in Python's struct module, one of ? b B h H i I q Q f d; 0: a structure"),
            ])
    }()

    private static let queueProgress: Structure = {
        typealias P = ipc_queue_progress
        let writer = "receiver; a sender that drops"
        let order = "before consumed"
        return Structure(
            name: "queue progress", size: MemoryLayout<P>.size, place: "in the queue",
            fields: [
                field(\P.position, "position", writer, order, "bytes since the queue was made"),
                field(\P.sequence, "sequence", writer, order, "messages taken or dropped so far"),
                field(
                    \P.remaining, "remaining", writer, order,
                    "bytes of the batch record at position not yet taken; 0: a header stands there"),
                field(\P.dropped, "dropped", writer, order, "messages dropped so far, if the queue drops the oldest"),
            ])
    }()
}
