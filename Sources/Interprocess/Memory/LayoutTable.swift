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

    package static let structures: [Structure] = [header, deathRecord, peerSlot, queue, queueProgress, handoff, handoffSide]

    private static func field<Root, Value>(
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
                field(\H.kind, "kind", creator, once, "1 plain segment, 2 queue, 3 handoff"),
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
                    "a bit for each kind of claim that was given back: 0 sender, 1 receiver, 2 side of a handoff"),
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
        return Structure(
            name: "handoff", size: MemoryLayout<H>.size, place: "object_offset",
            fields: [
                field(
                    \H.turn, "turn", "who has it; who makes a pair", "release; compare-exchange",
                    "bits 0-21 the parent's session, 22-43 the child's: the pair; bit 63 whose turn it is, 1 the child's"),
                field(\H.value, "value", "each side its own", "before turn", "what the parent, and the child, gave with the turn"),
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
