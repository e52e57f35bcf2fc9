import CInterprocess

/// The tables of request and reply.
extension LayoutTable {
    static let service: Structure = {
        typealias S = ipc_service
        let creator = "creator"
        let once = "before the link"
        return Structure(
            name: "service", size: MemoryLayout<S>.size, place: "object_offset",
            fields: [
                field(
                    \S.calls, "calls", creator, once,
                    "call records. Behind this block, each at a multiple of 64: a message ring with its entries of 8 bytes, the records, a bit for each record, a word of 4 bytes for each slot of the peer table (PeerID of a server)"
                ),
                field(\S.ring_size, "ring_size", creator, once, "entries of the ring: calls, rounded up to a power of two"),
                field(\S.request_size, "request_size", creator, once, "bytes of a record's window for the request, a multiple of 64"),
                field(
                    \S.reply_size, "reply_size", creator, once,
                    "bytes of a record's window for the reply, right behind the other; record n's windows begin at data_offset + n · (request_size + reply_size)"
                ),
                field(\S.reply_stride, "reply_stride", creator, once, "typed: bytes of a reply; 0: replies of any size"),
                field(
                    \S.items, "items", "everybody", "read-modify-write",
                    "futex of the servers: bit 0 somebody sleeps, bits 1-31 a number"),
                field(
                    \S.withdrawn, "withdrawn", "everybody", "read-modify-write",
                    "hint: 1 if the ring may have entries of calls that were withdrawn"),
                field(\S.space, "space", "everybody", "read-modify-write", "futex of clients without a record, as items"),
            ])
    }()

    static let call: Structure = {
        typealias C = ipc_call
        let (client, server) = ("the client", "the server")
        let (sent, replied) = ("before the ring's entry", "before state")
        return Structure(
            name: "call", size: MemoryLayout<C>.size, place: "in a service",
            fields: [
                field(
                    \C.state, "state", "everybody", "compare-exchange",
                    "bits 0-31 PeerID, 32-35 state (1 free, 2 sending, 3 withdrawn, 4 serving, 5 abandoned, 6 replied, 7 failed), bit 36 streamed, 37-39 outcome of replied (0 reply, 1 failure, 2 no reply), 44-63 generation"
                ),
                field(
                    \C.request_length, "request_length", client, sent,
                    "bytes of the request; bit 63: they stand in request, else in the window"),
                field(\C.client, "client", client, sent, "PeerID of who calls"),
                field(\C.answer, "answer", "everybody", "read-modify-write", "futex of the client, as a service's items"),
                field(\C.deadline_ns, "deadline_ns", client, sent, "CLOCK_MONOTONIC when the client gives up; 0: never"),
                field(\C.request, "request", client, sent, "a small request"),
                field(\C.reply_length, "reply_length", server, replied, "as request_length"),
                field(
                    \C.attention, "attention", "everybody", "read-modify-write",
                    "futex of a server that streams or waits to be cancelled, as a service's items"),
                field(\C.code, "code", server, replied, "of a failure"),
                field(\C.reply, "reply", server, replied, "a small reply"),
                field(
                    \C.written, "written", "the client before it sends; the server", "release",
                    "of a stream: bytes of parts in the window, which is a ring. A part: 8 bytes (bits 0-55 its length; 56-63 1 a part, 2 nothing up to the window's end), its bytes, up to a multiple of 8"
                ),
                field(
                    \C.request_reserved, "request_reserved", client, "release",
                    "of the window for the request, so many bytes can be written: the file system has room for them"),
                field(\C.reply_reserved, "reply_reserved", server, "release", "the same of the window for the reply"),
                field(\C.read, "read", client, "release", "of the bytes written, so many have been read and are free again"),
                field(\C.text_length, "text_length", server, replied, "of a failure: bytes of text"),
                field(\C.text, "text", server, replied, "of a failure: what it says, UTF-8"),
            ])
    }()
}
