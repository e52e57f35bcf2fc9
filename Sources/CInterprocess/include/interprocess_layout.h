// The bytes that processes share. Plain fixed-width fields, no padding, every offset and size asserted.
// Documentation/Layout is printed from the same offsets by `ipc layout`; a test holds the two together.
#ifndef INTERPROCESS_LAYOUT_H
#define INTERPROCESS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define IPC_LAYOUT_VERSION 7u
#define IPC_MAGIC 0x31474553435049ffull  // bytes: ff 'I' 'P' 'C' 'S' 'E' 'G' '1'
#define IPC_PAGE 4096u
#define IPC_DEATH_RECORDS 32u
#define IPC_MAXIMUM_PEERS 1024u
#define IPC_DEFAULT_PEERS 32u

// One death, written by a repairer before it increments `deaths`. 64 bytes.
typedef struct ipc_death_record {
  uint32_t peer;            // PeerID of the dead
  uint32_t repairer;        // PeerID of the peer that repaired; 0: an opener that was alone
  uint32_t pid;             // its process
  uint32_t uid;             // its effective user
  uint64_t held;            // a bit for each kind of claim that was given back
  uint64_t noticed_ns;      // CLOCK_MONOTONIC, when the repair began
  uint8_t program[32];      // its program's name, zero-terminated
} ipc_death_record;
_Static_assert(sizeof(ipc_death_record) == 64, "a death record is a cache line");

// The first page of every segment. 4096 bytes.
typedef struct ipc_segment_header {
  // 0: what it is. Written before the segment has a name, never again.
  uint64_t magic;
  uint32_t layout_version;
  uint32_t kind;
  uint64_t fingerprint;     // of the layout table
  uint64_t segment_size;    // bytes, all of the file
  uint64_t created_ns;      // CLOCK_REALTIME
  uint32_t creator_pid;
  uint32_t creator_uid;
  uint32_t lifetime;        // 0 until the last peer leaves, 1 until removed
  uint32_t peer_capacity;   // slots in the peer table
  uint64_t peer_offset;     // of the peer table
  // 64
  uint64_t object_offset;   // of the object's own control block
  uint64_t data_offset;     // of the object's data
  uint64_t data_size;       // bytes
  uint64_t capacity;        // in the object's own unit
  uint64_t element_size;    // bytes of one element; 0: any size
  uint64_t element_alignment;
  uint64_t element_hash;    // FNV-1a of the element's identifier
  uint64_t incarnation;     // random, another for each creation of a name
  // 128
  uint8_t name[32];
  uint8_t creator_program[32];
  uint8_t element_identifier[128];
  // 320
  uint64_t reserved_size;   // bytes of the file that were reserved when it was made; the rest is reserved as it is needed
  uint8_t reserved0[184];
  // 512: words that change; each on a line of its own
  uint32_t deaths;          // deaths announced so far: the futex of all who sleep on "somebody died"
  uint8_t reserved1[60];
  uint32_t membership;      // joins, leavings and deaths so far: the futex of the keepers
  uint8_t reserved2[60];
  uint32_t repair;          // PeerID of the peer that repairs; 0: nobody
  uint8_t reserved3[60];
  uint8_t reserved4[1344];
  // 2048
  ipc_death_record death_records[IPC_DEATH_RECORDS];  // deaths[n % 32]
} ipc_segment_header;
_Static_assert(sizeof(ipc_segment_header) == IPC_PAGE, "the header is a page");
_Static_assert(offsetof(ipc_segment_header, object_offset) == 64, "second line");
_Static_assert(offsetof(ipc_segment_header, name) == 128, "third line");
_Static_assert(offsetof(ipc_segment_header, element_identifier) == 192, "identifier");
_Static_assert(offsetof(ipc_segment_header, reserved_size) == 320, "reserved size");
_Static_assert(offsetof(ipc_segment_header, deaths) == 512, "deaths");
_Static_assert(offsetof(ipc_segment_header, membership) == 576, "membership");
_Static_assert(offsetof(ipc_segment_header, repair) == 640, "repair");
_Static_assert(offsetof(ipc_segment_header, death_records) == 2048, "death records");

// A peer's slot in the table. 128 bytes.
typedef struct ipc_peer_slot {
  uint32_t life;            // robust futex word: 0 free, TID|WAITERS alive, DIED|WAITERS dead and not repaired
  uint32_t generation;      // 22 bits; incremented when the slot is given back
  uint32_t state;           // 0 joining, 1 joined: all below is in place
  uint32_t pid;             // in the peer's own pid namespace
  uint64_t start_time;      // of the process, clock ticks since boot
  uint64_t pid_namespace;   // inode of the pid namespace
  uint64_t joined_ns;       // CLOCK_REALTIME
  uint32_t uid;             // effective user
  uint32_t caller_life;     // as life, for blocked callers only: the kernel wakes one sleeper of each word
  uint8_t program[32];      // zero-terminated
  uint8_t reserved1[48];
} ipc_peer_slot;
_Static_assert(sizeof(ipc_peer_slot) == 128, "a slot is two lines");
_Static_assert(offsetof(ipc_peer_slot, start_time) == 16, "start time");
_Static_assert(offsetof(ipc_peer_slot, caller_life) == 44, "caller life");
_Static_assert(offsetof(ipc_peer_slot, program) == 48, "program");

// A position in a queue with the sequence number and the rest of the batch that belong to it. 32 bytes.
typedef struct ipc_queue_progress {
  uint64_t position;        // bytes since the queue was made
  uint64_t sequence;        // messages taken so far
  uint64_t remaining;       // bytes of the batch record at `position` not yet taken; 0: a header stands there
  uint64_t dropped;         // messages before `position` that were dropped, not received
} ipc_queue_progress;
_Static_assert(sizeof(ipc_queue_progress) == 32, "progress");

// A queue's control block. 1024 bytes; the lines of the two sides are kept apart, two lines each against adjacent-line prefetch.
typedef struct ipc_queue {
  // 0: written by the receiver with every message
  uint64_t consumed;        // position up to which all is taken: the one store that takes a message. If the queue drops the oldest: dropped or
                            // taken, by compare-exchange, and bits 0-2 name the entry in force: 0, 1 `progress`, 2, 3 `dropping`
  uint64_t reported;        // the last sender's session whose ending was told
  uint8_t reserved0[48];
  ipc_queue_progress progress[2];  // the receiver's; the entry whose position equals `consumed` is in force
  // 128: what the receiver says of itself; the sender reads it with every message
  uint32_t receiver_flags;  // 1 open, 2 sleeping, 4 fence, 8 ended, 16 attentive; the event slept on in bits 8-31
  uint32_t receiver_cpu;    // processor it last waited on, plus 1
  uint8_t reserved1[120];
  // 256: what the sender says of itself; the receiver reads it with every message
  uint32_t sender_flags;
  uint32_t sender_cpu;
  uint64_t sender_wants;    // a sleeping sender wants `consumed` to reach this
  uint8_t reserved2[112];
  // 384: futex words, each incremented by the other side
  uint32_t receiver_event;  // incremented by the sender and by whoever ends or begins a sender's session
  uint8_t reserved3[60];
  uint32_t sender_event;
  uint8_t reserved4[60];
  // 512: roles. PeerID in bits 0-31, session in 32-53, ending of the session before in 56-59, ending in 60-63 (0 none, 1 closed, 2 died)
  uint64_t sender;
  uint64_t receiver;
  uint32_t overflow;        // written before the segment has a name: 0 the sender waits, 1 the newest is dropped, 2 the oldest
  uint8_t reserved5[108];
  // 640: written by a sender that drops
  ipc_queue_progress dropping[2];  // the sender's entries, if the queue drops the oldest
  uint64_t dropped_newest;  // messages that were never put into the queue, if it drops the newest
  uint8_t reserved6[312];
} ipc_queue;
_Static_assert(sizeof(ipc_queue) == 1024, "queue control block");
_Static_assert(offsetof(ipc_queue, progress) == 64, "progress");
_Static_assert(offsetof(ipc_queue, receiver_flags) == 128, "receiver flags");
_Static_assert(offsetof(ipc_queue, sender_flags) == 256, "sender flags");
_Static_assert(offsetof(ipc_queue, receiver_event) == 384, "receiver event");
_Static_assert(offsetof(ipc_queue, sender_event) == 448, "sender event");
_Static_assert(offsetof(ipc_queue, sender) == 512, "roles");
_Static_assert(offsetof(ipc_queue, dropping) == 640, "dropping");

// The control block of a fan-in queue, one receiver and a lane for each sender. 512 bytes; behind it, from byte 512 on, a queue's control block for each lane,
// in which the receiver's own words (flags, processor, event, role) are not used: these stand here, once for all lanes.
typedef struct ipc_fan_in {
  // 0: what it is; written before the segment has a name
  uint32_t lanes;           // 1 ... IPC_MAXIMUM_LANES
  uint32_t reserved0;
  uint64_t lane_size;       // bytes of each lane's ring, whole pages; the ring of lane n begins at n * lane_size of the data
  uint8_t reserved1[112];
  // 128: what the receiver says of itself; every sender reads it with every message
  uint32_t receiver_flags;  // as a queue's
  uint32_t receiver_cpu;    // processor it last waited on, plus 1
  uint8_t reserved2[120];
  // 256: futex word, incremented by senders and by whoever begins or ends a sender's session
  uint32_t receiver_event;
  uint8_t reserved3[124];
  // 384
  uint64_t receiver;        // as a queue's role
  uint8_t reserved4[120];
} ipc_fan_in;
#define IPC_MAXIMUM_LANES 256u
_Static_assert(sizeof(ipc_fan_in) == 512, "fan-in control block");
_Static_assert(offsetof(ipc_fan_in, lane_size) == 8, "lane size");
_Static_assert(offsetof(ipc_fan_in, receiver_flags) == 128, "receiver flags");
_Static_assert(offsetof(ipc_fan_in, receiver_event) == 256, "receiver event");
_Static_assert(offsetof(ipc_fan_in, receiver) == 384, "receiver");

// One side of a handoff. 128 bytes: two lines, against adjacent-line prefetch.
typedef struct ipc_handoff_side {
  uint64_t role;            // PeerID in bits 0-31, session in 32-53, ending of the session before in 56-59, ending in 60-63 (as a queue's; 3 clash)
  uint32_t flags;           // as receiver_flags
  uint32_t cpu;             // processor it last waited on, plus 1
  uint32_t event;           // futex word, incremented by the other side
  uint8_t reserved[108];
} ipc_handoff_side;
_Static_assert(sizeof(ipc_handoff_side) == 128, "a side is two lines");

// A handoff's control block. 1024 bytes.
typedef struct ipc_handoff {
  // 0: what travels, in one line
  uint64_t turn;            // the pair's sessions in bits 0-21 (parent) and 22-43 (child), whose turn it is in bit 63 (1 the child's)
  uint64_t value[2];        // what each side (0 the parent) gave with the turn, written before it gave the turn
  uint64_t used[2];         // bytes of the data that each side has allocated: the parent from the start on, the child from the end down
  uint32_t kind;            // what the turn was given with: 0 a value, 1 a call, 2 an answer, 3 unknown method, 4 failure, 5 refusal
  uint32_t method;          // of a call
  uint32_t depth;           // calls that are open, this one (or the one that is answered) among them
  uint32_t size;            // bytes of scalars: the arguments of a call, the output of an answer
  uint32_t output_size;     // of a call: bytes of scalars that its answer has
  uint32_t code;            // of a failure: the method's own; of a refusal: 1 arguments, 2 output, 3 offset, 4 count, 5 element, 6 room, 7 depth
  // 64
  uint8_t scalars[448];     // arguments or output, by value
  // 512
  ipc_handoff_side parent;
  ipc_handoff_side child;
  uint8_t reserved0[256];
} ipc_handoff;
_Static_assert(sizeof(ipc_handoff) == 1024, "handoff control block");
_Static_assert(offsetof(ipc_handoff, used) == 24, "used");
_Static_assert(offsetof(ipc_handoff, kind) == 40, "kind");
_Static_assert(offsetof(ipc_handoff, scalars) == 64, "scalars");
_Static_assert(offsetof(ipc_handoff, parent) == 512, "parent");
_Static_assert(offsetof(ipc_handoff, child) == 640, "child");

// Where an array of a call lies, as it stands among the scalars. 24 bytes.
typedef struct ipc_handoff_slice {
  uint64_t offset;          // bytes from the data's start to the first element, a multiple of the element's alignment
  uint64_t count;           // elements
  uint32_t element_size;    // bytes from one element to the next
  uint32_t element_code;    // of a number its letter in Python's struct and array modules, as ? b B h H i I q Q f d; 0: a structure
} ipc_handoff_slice;
_Static_assert(sizeof(ipc_handoff_slice) == 24, "slice");

// The control block of a synchronization object, at object_offset of a segment of its own or at a multiple of 64 in the data of a plain one. 128 bytes.
// Behind it `slots` pairs of words of 8 bytes, one for each slot of the peer table: what the peer has taken and what it has given back beside the lock, each in
// bits 32-63, behind its PeerID; it holds the difference. Behind those, at the next multiple of 64, the value that it guards.
typedef struct ipc_sync {
  // 0: what it is; written before `ready`, never again
  uint32_t ready;           // 0 nothing is here, IPC_SYNC_READY, or, while `kind` is IPC_SYNC_MAKING, the PeerID of who is making it
  uint32_t kind;            // as a segment's
  uint64_t element_hash;    // FNV-1a of the value's type; 0: it guards none
  uint64_t element_size;    // bytes of the value
  uint64_t limit;           // permits: units; barrier: parties; latch: the count at first; event: 1 if it resets itself; notifier: ids; latest value: versions; variable: 2 places
  uint32_t slots;           // pairs of words behind this block
  uint8_t reserved0[28];
  // 64: what changes
  uint32_t word;            // bit 0 somebody sleeps, bit 1 always set, bits 2-31 a claim or a number; the futex
  uint32_t heir;            // who takes next, since it has waited for long: a claim as in `word`; bit 0 it has been told
  uint32_t inconsistent;    // PeerID of the holder that died with the value in its hands; 0 none
  uint32_t changes;         // objects with slots: bit 0 somebody sleeps, bit 1 always set, bits 2-31 changes so far; the futex
  uint32_t taken;           // units held, or readers: the sum over the slots, made anew from them after a death
  uint32_t deaths_seen;     // the segment's deaths when that was last done
  uint32_t writer;          // reader-writer lock: the writer's PeerID; 0 none
  uint32_t phase;           // barrier: phases completed
  uint64_t broken;          // barrier: bits 0-31 how often a party was lost, 32-63 the PeerID of the last one
  uint32_t next;            // permits, reader-writer lock: PeerID of who takes next, since it has waited for long; 0 none
  uint32_t started;         // barrier: 1 once all parties had come
  uint32_t given_back;      // how often something was given back by a peer that was not in the lock
  uint32_t given_back_seen; // the same when the sum over the slots was last made
  uint8_t reserved1[8];
} ipc_sync;
#define IPC_SYNC_READY 1u
#define IPC_SYNC_MAKING 0x474b414du  // in `kind` while it is being made: "MAKG"
_Static_assert(sizeof(ipc_sync) == 128, "two lines");
_Static_assert(offsetof(ipc_sync, limit) == 24, "limit");
_Static_assert(offsetof(ipc_sync, word) == 64, "second line");
_Static_assert(offsetof(ipc_sync, broken) == 96, "broken");
_Static_assert(offsetof(ipc_sync, given_back) == 112, "given_back");

// The control block of a shared queue. 512 bytes. Behind it, in this order, each at a multiple of 64: `priorities` rings, each with its `ring_size` entries of
// 8 bytes behind it; `slots` slots; a bit for each slot, in words of 4 bytes; a record for each slot of the peer table.
typedef struct ipc_shared_queue {
  // 0: what it is; written before the segment has a name, but for `finished`
  uint32_t slots;           // messages that it holds at most, waiting, being written and being worked on; 1 … IPC_MAXIMUM_SLOTS
  uint32_t ring_size;       // entries of each ring: slots, rounded up to a power of two
  uint32_t priorities;      // rings; the last one is looked at first
  uint32_t overflow;        // as a queue's
  uint32_t delivery_limit;  // a message that was delivered so often and not acknowledged is a dead letter; 0: never
  uint32_t finished;        // 1: nothing more is sent
  uint64_t message_size;    // bytes from one slot's message to the next, in the data
  uint64_t acknowledge_ns;  // how long a receiver may have a message; 0: as long as it lives
  uint8_t reserved0[24];
  // 64: what those sleep on who wait; bit 0 somebody sleeps, bits 1-31 a number
  uint32_t items;           // receivers
  uint8_t reserved1[124];
  uint32_t space;           // senders
  uint8_t reserved2[60];
  // 256
  uint32_t returns;         // how often a message came back from a receiver
  uint32_t searched;        // of these returns, so many have been looked for in vain
  uint8_t reserved3[248];
} ipc_shared_queue;
#define IPC_MAXIMUM_SLOTS 65536u
#define IPC_MAXIMUM_PRIORITIES 16u
_Static_assert(sizeof(ipc_shared_queue) == 512, "shared queue control block");
_Static_assert(offsetof(ipc_shared_queue, items) == 64, "items");
_Static_assert(offsetof(ipc_shared_queue, space) == 192, "space");
_Static_assert(offsetof(ipc_shared_queue, returns) == 256, "returns");

// In which order messages come. Hints: what is true stands in the entries. 256 bytes, two lines for each side.
typedef struct ipc_message_ring {
  uint64_t tail;            // a ticket at or before the first that no message has
  uint8_t reserved0[120];
  uint64_t head;            // a ticket at or before the first that was not taken
  uint8_t reserved1[120];
} ipc_message_ring;
_Static_assert(sizeof(ipc_message_ring) == 256, "message ring");
_Static_assert(offsetof(ipc_message_ring, head) == 128, "head");

// Where a message stands, apart from its bytes. 64 bytes: a line for each, since with eight states in one line both sides would want the same line (measured: up to three times as slow).
typedef struct ipc_message_slot {
  uint64_t state;           // PeerID in bits 0-31, state in 32-35 (1 free, 2 filling, 3 taken, 4 returned, 5 dead letter), deliveries in 36-43, generation in 44-63
  uint64_t length;          // bytes of the message
  uint64_t ticket;          // its place in the order
  uint64_t taken_ns;        // CLOCK_MONOTONIC when it was taken, but for bits 0-7, which are the delivery's number, and 8-15, of the generation
  uint64_t reserved_bytes;  // of its bytes in the data, so many can be written: the file system has room for them
  uint32_t priority;        // the ring that it is in
  uint8_t reserved0[20];
} ipc_message_slot;
_Static_assert(sizeof(ipc_message_slot) == 64, "a slot is a line");
// Where its fields are, as constants that a compiler folds.
#define IPC_SLOT_LENGTH 8
#define IPC_SLOT_TICKET 16
#define IPC_SLOT_TAKEN 24
#define IPC_SLOT_RESERVED 32
#define IPC_SLOT_PRIORITY 40
_Static_assert(offsetof(ipc_message_slot, state) == 0, "state");
_Static_assert(offsetof(ipc_message_slot, length) == IPC_SLOT_LENGTH, "length");
_Static_assert(offsetof(ipc_message_slot, ticket) == IPC_SLOT_TICKET, "ticket");
_Static_assert(offsetof(ipc_message_slot, taken_ns) == IPC_SLOT_TAKEN, "taken_ns");
_Static_assert(offsetof(ipc_message_slot, reserved_bytes) == IPC_SLOT_RESERVED, "reserved_bytes");
_Static_assert(offsetof(ipc_message_slot, priority) == IPC_SLOT_PRIORITY, "priority");

// What a peer of a shared queue has dropped. 64 bytes.
typedef struct ipc_message_drops {
  uint64_t newest;          // messages that it did not put into the full queue
  uint64_t oldest;          // messages of whoever that it took out to make room
  uint64_t intent;          // what it is about to drop: slot in bits 0-15, generation that the slot gets in 16-31, low half of `oldest` after it in 32-63; 0: nothing
  uint8_t reserved0[40];
} ipc_message_drops;
_Static_assert(sizeof(ipc_message_drops) == 64, "a line for each peer");
// The control block of a topic. 512 bytes. Behind it, in this order, each at a multiple of 64: `entries` entries of 8 bytes (the log); `chunks` chunks, each as large as
// a bit for each slot of the peer table needs; a bit for each chunk, in words of 4 bytes; a record for each slot of the peer table.
typedef struct ipc_topic {
  // 0: what it is; written before the segment has a name, but for `finished`
  uint32_t entries;         // messages that the log keeps: a power of two, 1 … IPC_MAXIMUM_SLOTS
  uint32_t chunks;          // places for messages: entries + peers * (holds + 1)
  uint32_t holds;           // messages that a peer may hold at once
  uint32_t finished;        // 1: nothing more is published
  uint64_t message_size;    // bytes from one chunk's message to the next, in the data
  uint32_t publishers;      // 0: any number; 1: one at a time
  uint8_t reserved0[36];
  // 64: what those sleep on who wait; bit 0 somebody sleeps, bits 1-31 a number
  uint32_t items;           // subscribers
  uint8_t reserved1[124];
  uint32_t space;           // publishers
  uint32_t fences;          // 1: some peer takes no part in barriers, so that subscribers fence before they look at `space`
  uint64_t wants;           // a sleeping publisher wants every lossless subscriber's cursor to reach this
  uint8_t reserved2[48];
  // 256
  uint32_t joins;           // lossless subscribers that have joined so far
  uint8_t reserved3[124];
  // 384
  uint64_t tail;            // a ticket at or before the first that no message has
  uint32_t publisher;       // with one publisher: bit 1 always set, bits 2-31 its claim, 0 nobody
  uint8_t reserved4[116];
} ipc_topic;
#define IPC_MAXIMUM_CHUNKS ((1u << 20) - 1u)
_Static_assert(sizeof(ipc_topic) == 512, "topic control block");
_Static_assert(offsetof(ipc_topic, message_size) == 16, "message size");
_Static_assert(offsetof(ipc_topic, items) == 64, "items");
_Static_assert(offsetof(ipc_topic, space) == 192, "space");
_Static_assert(offsetof(ipc_topic, wants) == 200, "wants");
_Static_assert(offsetof(ipc_topic, joins) == 256, "joins");
_Static_assert(offsetof(ipc_topic, publishers) == 24, "publishers");
_Static_assert(offsetof(ipc_topic, tail) == 384, "tail");
_Static_assert(offsetof(ipc_topic, publisher) == 392, "publisher");

// Where a message of a topic stands, apart from its bytes. 64 bytes, and 64 more for each 512 slots or part of them that the peer table has beyond 256.
typedef struct ipc_topic_chunk {
  uint64_t state;           // PeerID in bits 0-31, state in 32-35 (1 free, 2 filling), generation in 36-63
  uint64_t ticket;          // its message's place in the order
  uint64_t length;          // bytes of the message
  uint64_t reserved_bytes;  // of its bytes in the data, so many can be written: the file system has room for them
  uint64_t readers[4];      // a bit for each slot of the peer table: that peer holds the message; more words behind
} ipc_topic_chunk;
_Static_assert(sizeof(ipc_topic_chunk) == 64, "a chunk is a line");
_Static_assert(offsetof(ipc_topic_chunk, readers) == 32, "readers");

// What a peer of a topic is. 128 bytes: two lines, against adjacent-line prefetch. Of a topic of one publisher as many more words behind, in steps of 128 bytes, as `holds` + 1
// words of `held` need.
typedef struct ipc_topic_peer {
  uint64_t role;            // PeerID in bits 0-31, 32-35: 1 publisher, 2 lossy subscriber, 3 lossless subscriber; 0 nobody
  uint64_t cursor;          // subscriber: ticket of the next message that it reads
  uint64_t missed;          // lossy subscriber: messages that were gone before it came to them
  uint64_t intent;          // publisher: what it is about to replace: chunk in bits 0-19, its generation in 20-47, bit 63 set; 0: nothing
  uint32_t reach;           // with one publisher: the first so many words of `held` may not be 0
  uint32_t held[23];        // with one publisher: a chunk that the peer holds, as loan or sample, plus 1; 0: none
} ipc_topic_peer;
_Static_assert(sizeof(ipc_topic_peer) == 128, "two lines for each peer");
_Static_assert(offsetof(ipc_topic_peer, reach) == 32, "reach");
_Static_assert(offsetof(ipc_topic_peer, held) == 36, "held");

// 64 ids of a notifier, whose groups stand behind its synchronization object. Nothing in it ever goes down. 576 bytes.
#define IPC_NOTIFIER_IDS 64u
typedef struct ipc_notifier_group {
  uint64_t changes;         // how often somebody was notified of an id of this group; incremented after the id's count
  uint8_t reserved0[56];
  // 64
  uint64_t counts[IPC_NOTIFIER_IDS];  // notifications of each id
} ipc_notifier_group;
_Static_assert(sizeof(ipc_notifier_group) == 576, "nine lines");
_Static_assert(offsetof(ipc_notifier_group, counts) == 64, "counts");

// What follows the block of a latest value, whose `word` its writers hold one at a time. 128 bytes: two lines, against adjacent-line prefetch.
// Behind it IPC_LATEST_VERSIONS versions at multiples of 64, each a stamp, and the value at the next multiple of its alignment.
typedef struct ipc_latest {
  uint32_t current;         // bit 0 somebody sleeps, bit 1 always set, bits 2-31 the number of the newest version modulo 2^30; the futex
  uint8_t reserved[124];
} ipc_latest;
#define IPC_LATEST_VERSIONS 4u
_Static_assert(sizeof(ipc_latest) == 128, "two lines");

// The beginning of a version of a latest value; number n stands in the version n mod IPC_LATEST_VERSIONS. 8 bytes.
typedef struct ipc_latest_version {
  uint64_t stamp;           // bit 0 it is being written, bits 1-63 its number: 0 what it was made with, 1 the first that was stored, ...
} ipc_latest_version;
_Static_assert(sizeof(ipc_latest_version) == 8, "stamp");

// What follows the block of a shared variable. 32 bytes. Behind it, at the next multiple of the value's alignment, two values: the one with the number n stands in the
// first or second as n is even or odd. All on one line as far as they fit, since who puts and who takes want all of it.
typedef struct ipc_variable {
  uint64_t control;         // bit 0 full, bit 1 always set, bits 2-31 the claim of who is changing it, 0 nobody; bits 32-63 the number of the last value modulo 2^32
  uint32_t takers;          // bit 0 a taker sleeps, bits 1-31 a number; the futex
  uint32_t putters;         // the same of putters
  uint32_t readers;         // the same of readers
  uint32_t next_taker;      // who takes next, since it has waited for long: bit 1 always set, bits 2-31 its claim, 0 nobody
  uint32_t next_putter;     // the same of putters
  uint8_t reserved[4];
} ipc_variable;
_Static_assert(sizeof(ipc_variable) == 32, "half a line");
_Static_assert(offsetof(ipc_variable, takers) == 8, "takers");
_Static_assert(offsetof(ipc_variable, next_taker) == 20, "next");

// The control block of an arena. 2048 bytes; behind it a heap's words for each of IPC_ARENA_HEAPS heaps. The data: a page word of 8 bytes for each page, to the next multiple of
// 4096; the bits of a slab for each page, to the next multiple of 2 MiB of the file; the pages of 64 KiB. Of all three that much is reserved as belongs to the first `grown` pages.
typedef struct ipc_arena {
  // 0: what it is; written before the segment has a name
  uint64_t pages;           // pages that it can have at most; 1 ... IPC_ARENA_PAGES
  uint8_t reserved0[56];
  // 64
  uint64_t grown;           // pages that are reserved; never fewer
  uint8_t reserved1[56];
  // 128
  uint32_t orphaned;        // how often slabs have lost their owner
  uint32_t heaps_used;      // no heap behind this number was ever claimed
  uint8_t reserved2[376];
  // 512
  uint64_t roots[64];       // links
  // 1024: named objects
  uint64_t names[64];       // links: the first record of each bucket
  // 1536: what peers hold together
  uint64_t references[24];  // links: parts of the table of reference records; part 0 has 16 of them, each other one as many as all before
  uint32_t names_word;      // the lock of those who name and destroy; as `word` and `heir` of a synchronization object
  uint32_t names_heir;
  uint8_t reserved3[312];
} ipc_arena;
#define IPC_ARENA_HEAPS 256u
#define IPC_ARENA_PAGES 0xff0000u
_Static_assert(sizeof(ipc_arena) == 2048, "arena control block");
_Static_assert(offsetof(ipc_arena, grown) == 64, "grown");
_Static_assert(offsetof(ipc_arena, orphaned) == 128, "orphaned");
_Static_assert(offsetof(ipc_arena, roots) == 512, "roots");
_Static_assert(offsetof(ipc_arena, names) == 1024, "names, behind the roots");
_Static_assert(offsetof(ipc_arena, references) == 1536, "references, behind the names");
_Static_assert(offsetof(ipc_arena, names_word) == 1728, "names_word");

// A heap: who allocates, one thread at a time. 128 bytes.
typedef struct ipc_arena_heap {
  uint32_t claim;           // of its owner: bit 1 set, bits 2-31 as in a lock's word; 0: nobody's
  uint32_t reserved0;
  uint64_t intent;          // bit 0 a link is being changed, bit 1 it has been, bits 48-62 the number of the change; 0: none
  uint64_t link;            // the offset of that link
  uint64_t fresh;           // the block that it is to name; 0: none
  uint64_t old;             // the block that it names and that is to be freed; 0: none
  uint8_t reserved1[88];
} ipc_arena_heap;
_Static_assert(sizeof(ipc_arena_heap) == 128, "two lines");
_Static_assert(offsetof(ipc_arena_heap, old) == 32, "old");

// A record of a named object: a block of the arena. 320 bytes.
#define IPC_ARENA_NAME 192u
#define IPC_ARENA_TYPE 64u
typedef struct ipc_arena_object {
  // 0
  uint64_t next;            // link: the next record of the bucket
  uint64_t object;          // link: the block of its values; 0: there is none yet, or no more
  uint64_t stamp;           // odd: what follows is being written; another even number after that
  uint32_t claim;           // of who constructs it: as a lock's word, never marked; 2: nobody
  uint32_t changes;         // what those sleep on who wait for that: bit 0 somebody does, bits 1-31 a number
  uint64_t type_hash;       // FNV-1a, 64 bits, of the type's identifier
  uint64_t stride;          // bytes of a value
  uint64_t count;           // values
  uint32_t name_length;     // bytes
  uint32_t type_length;     // bytes
  // 64
  uint8_t name[IPC_ARENA_NAME];  // UTF-8, the rest undefined
  uint8_t type[IPC_ARENA_TYPE];  // the beginning of the type's identifier, for messages
} ipc_arena_object;
_Static_assert(sizeof(ipc_arena_object) == 320, "five lines");
_Static_assert(offsetof(ipc_arena_object, changes) == 28, "changes");
_Static_assert(offsetof(ipc_arena_object, name) == 64, "name");
_Static_assert(offsetof(ipc_arena_object, type) == 256, "type");

// The bits of a slab: of block n bit n mod 64 of word n / 64. 2048 bytes.
typedef struct ipc_arena_slab {
  uint64_t free_held[128];  // free and held, in turns: both are the owner's
  uint64_t freed[64];       // freed by others than the owner
  uint8_t reserved[512];
} ipc_arena_slab;
_Static_assert(sizeof(ipc_arena_slab) == 2048, "half a page");
_Static_assert(offsetof(ipc_arena_slab, freed) == 1024, "freed");

// A value that peers hold together. 64 bytes; behind it a word of 8 bytes for each slot of the peer table: how often that peer holds it.
// The value's block: `links` links, and the value at the next multiple of its alignment, which is at least 16.
typedef struct ipc_reference {
  uint64_t state;           // bits 0-31 how often it was taken, or who makes or destroys it, 32-33 free, being made, there, being destroyed; 34-63 generation
  uint64_t value;           // link: the block of the value
  uint64_t type_hash;       // of the identifier of its type
  uint64_t size;            // bytes of the value
  uint32_t links;           // in front of it, which are destroyed with it
  uint8_t reserved[28];
} ipc_reference;
_Static_assert(sizeof(ipc_reference) == 64, "a line");
_Static_assert(offsetof(ipc_reference, links) == 32, "links");
#define IPC_REFERENCE_PARTS 24u
#define IPC_REFERENCE_FIRST 16u

// What all containers of an arena that have a lock begin with. 64 bytes.
typedef struct ipc_container {
  uint32_t word;            // the lock of those who change it; as `word` and `heir` of a synchronization object
  uint32_t heir;
  uint64_t stamp;           // who reads without the lock looks at it before and after
  uint64_t coming;          // link: the block that is being put in; 0: none
  uint64_t going;           // link: the block that is being taken out; 0: none
  uint64_t count;           // what is in it
  uint64_t planned;         // what `count` becomes by the change that is going on; of an array, and 1
  uint64_t is_destroyed;    // 1: it is being taken away
  uint64_t reserved;
} ipc_container;
_Static_assert(sizeof(ipc_container) == 64, "a line");
_Static_assert(offsetof(ipc_container, stamp) == 8, "stamp");
_Static_assert(offsetof(ipc_container, going) == 24, "going");
_Static_assert(offsetof(ipc_container, is_destroyed) == 48, "is_destroyed");

// Parts of a container that double: part 0 has n places, part k n << (k - 1).
#define IPC_CONTAINER_PARTS 40u

// What entries and buckets of a dictionary begin with: all are one list, in the order of `order`. 16 bytes, at a multiple of 16.
typedef struct ipc_dictionary_node {
  uint64_t next;            // a sixteenth of the offset of the next one; 0: none
  uint64_t order;           // bits of the hash, or of the bucket's number, from the last to the first. Bit 0: an entry. Bit 1 of a bucket: it is in the list
} ipc_dictionary_node;
_Static_assert(sizeof(ipc_dictionary_node) == 16, "a block's unit");

// An entry of a dictionary. Behind it, at a multiple of its alignment, the value, and behind that the key.
typedef struct ipc_dictionary_entry {
  ipc_dictionary_node node;
  uint64_t key_length;      // bytes
} ipc_dictionary_entry;

// A dictionary. 672 bytes.
#define IPC_DICTIONARY_BUCKETS 16u
typedef struct ipc_dictionary {
  ipc_container container;
  uint64_t seed;            // of the hash
  uint64_t buckets;         // a power of two
  uint64_t key_place;       // bytes from an entry's beginning to its key
  uint64_t reserved;
  uint64_t parts[IPC_CONTAINER_PARTS];  // links: buckets from the sixteenth on; the first is not used
  ipc_dictionary_node first[IPC_DICTIONARY_BUCKETS];
} ipc_dictionary;
_Static_assert(offsetof(ipc_dictionary, parts) == 96, "parts");
_Static_assert(offsetof(ipc_dictionary, first) == 416, "first");
_Static_assert(sizeof(ipc_dictionary) == 672, "dictionary");

// An array. 400 bytes; behind it, at a multiple of its alignment, one element: what is to be written over another.
typedef struct ipc_array {
  ipc_container container;
  uint64_t writing;         // the index, plus 1, of the element that is being overwritten with that one; 0: none
  uint64_t reserved;
  uint64_t parts[IPC_CONTAINER_PARTS];  // links: the elements
} ipc_array;
_Static_assert(offsetof(ipc_array, parts) == 80, "parts");
_Static_assert(sizeof(ipc_array) == 400, "array");

// A queue. 104 bytes. What is in it stands in a list of chunks; `count` and `planned` of the container stay 0.
typedef struct ipc_arena_queue {
  ipc_container container;
  uint64_t taken;           // so many elements have ever been taken: the number of the first that is there
  uint64_t appended;        // so many have ever been appended
  uint64_t first;           // link: the first chunk; 0: none
  uint64_t last;            // link: a chunk from which the one that is appended to is found
  uint32_t items;           // who waits for an element sleeps on it; as `items` of a shared queue
  uint32_t reserved;
} ipc_arena_queue;
_Static_assert(offsetof(ipc_arena_queue, taken) == 64, "taken");
_Static_assert(offsetof(ipc_arena_queue, items) == 96, "items");
_Static_assert(sizeof(ipc_arena_queue) == 104, "arena queue");

// A chunk of a queue: of 1,024 bytes, or as many as one element needs. Behind it, at a multiple of their alignment, as many elements as there is room for.
typedef struct ipc_queue_chunk {
  uint64_t next;            // link: the next chunk; 0: none
  uint64_t number;          // of its first element, divided by how many elements a chunk has
} ipc_queue_chunk;
_Static_assert(sizeof(ipc_queue_chunk) == 16, "a block's unit");
#define IPC_QUEUE_CHUNK 1024u

// A string. 16 bytes. The block: its length, 8 bytes, and its UTF-8.
typedef struct ipc_string {
  uint64_t link;            // the block; 0: the empty string
  uint64_t stamp;           // how often it was about to be changed
} ipc_string;
_Static_assert(sizeof(ipc_string) == 16, "string");

// The control block of a service. 512 bytes. Behind it, in this order, each at a multiple of 64: a message ring with its `ring_size` entries of 8 bytes (the calls that
// wait); `calls` call records; a bit for each record, in words of 4 bytes; a word of 4 bytes for each slot of the peer table: the PeerID of a server.
typedef struct ipc_service {
  // 0: what it is; written before the segment has a name
  uint32_t calls;           // call records; 1 ... IPC_MAXIMUM_SLOTS
  uint32_t ring_size;       // entries: calls, rounded up to a power of two
  uint64_t request_size;    // bytes of a record's window for the request, a multiple of 64
  uint64_t reply_size;      // bytes of its window for the reply, a multiple of 64; right behind the other
  uint64_t reply_stride;    // typed: bytes of a reply; 0: any size
  uint8_t reserved0[32];
  // 64: what those sleep on who wait; bit 0 somebody sleeps, bits 1-31 a number
  uint32_t items;           // servers
  uint32_t withdrawn;       // 1: there may be entries whose calls were withdrawn
  uint8_t reserved1[120];
  uint32_t space;           // clients without a record
  uint8_t reserved2[316];
} ipc_service;
_Static_assert(sizeof(ipc_service) == 512, "service control block");
_Static_assert(offsetof(ipc_service, items) == 64, "items");
_Static_assert(offsetof(ipc_service, space) == 192, "space");

// A call. 384 bytes: the first line is written by the client, the second by the server, but for the words that both change.
#define IPC_INLINE_REQUEST 32u
#define IPC_INLINE_REPLY 48u
#define IPC_FAILURE_TEXT 120u
typedef struct ipc_call {
  // 0
  uint64_t state;           // PeerID in bits 0-31; state in 32-35: 1 free, 2 sending, 3 withdrawn, 4 serving, 5 abandoned, 6 replied, 7 failed; bit 36 streamed;
                            // outcome in 37-39 (replied): 0 reply, 1 failure, 2 no reply; generation in 44-63
  uint64_t request_length;  // bytes; bit 63: they stand in `request`, not in the window
  uint32_t client;          // PeerID of who calls
  uint32_t answer;          // what the client sleeps on, as items
  uint64_t deadline_ns;     // CLOCK_MONOTONIC when the client gives up; 0: never
  uint8_t request[IPC_INLINE_REQUEST];
  // 64
  uint64_t reply_length;    // as request_length
  uint32_t attention;       // what the server sleeps on that streams or waits to be cancelled, as items
  uint32_t code;            // of a failure
  uint8_t reply[IPC_INLINE_REPLY];
  // 128: written by the server that streams
  uint64_t written;         // bytes of parts, since the call began
  uint64_t request_reserved;  // of the window for the request, so many bytes can be written: the file system has room for them
  uint64_t reply_reserved;
  uint8_t reserved0[40];
  // 192: written by the client of a stream
  uint64_t read;            // of the bytes written, so many are free again
  uint8_t reserved1[56];
  // 256
  uint32_t text_length;     // of a failure
  uint32_t reserved2;
  uint8_t text[IPC_FAILURE_TEXT];  // UTF-8
} ipc_call;
_Static_assert(sizeof(ipc_call) == 384, "six lines");
// Where its fields are, as constants that a compiler folds.
#define IPC_CALL_REQUEST_LENGTH 8
#define IPC_CALL_CLIENT 16
#define IPC_CALL_ANSWER 20
#define IPC_CALL_DEADLINE_NS 24
#define IPC_CALL_REQUEST 32
#define IPC_CALL_REPLY_LENGTH 64
#define IPC_CALL_ATTENTION 72
#define IPC_CALL_CODE 76
#define IPC_CALL_REPLY 80
#define IPC_CALL_WRITTEN 128
#define IPC_CALL_REQUEST_RESERVED 136
#define IPC_CALL_REPLY_RESERVED 144
#define IPC_CALL_READ 192
#define IPC_CALL_TEXT_LENGTH 256
#define IPC_CALL_TEXT 264
_Static_assert(offsetof(ipc_call, request_length) == IPC_CALL_REQUEST_LENGTH, "request_length");
_Static_assert(offsetof(ipc_call, client) == IPC_CALL_CLIENT, "client");
_Static_assert(offsetof(ipc_call, answer) == IPC_CALL_ANSWER, "answer");
_Static_assert(offsetof(ipc_call, deadline_ns) == IPC_CALL_DEADLINE_NS, "deadline_ns");
_Static_assert(offsetof(ipc_call, request) == IPC_CALL_REQUEST, "request");
_Static_assert(offsetof(ipc_call, reply_length) == IPC_CALL_REPLY_LENGTH, "reply_length");
_Static_assert(offsetof(ipc_call, attention) == IPC_CALL_ATTENTION, "attention");
_Static_assert(offsetof(ipc_call, code) == IPC_CALL_CODE, "code");
_Static_assert(offsetof(ipc_call, reply) == IPC_CALL_REPLY, "reply");
_Static_assert(offsetof(ipc_call, written) == IPC_CALL_WRITTEN, "written");
_Static_assert(offsetof(ipc_call, request_reserved) == IPC_CALL_REQUEST_RESERVED, "request_reserved");
_Static_assert(offsetof(ipc_call, reply_reserved) == IPC_CALL_REPLY_RESERVED, "reply_reserved");
_Static_assert(offsetof(ipc_call, read) == IPC_CALL_READ, "read");
_Static_assert(offsetof(ipc_call, text_length) == IPC_CALL_TEXT_LENGTH, "text_length");
_Static_assert(offsetof(ipc_call, text) == IPC_CALL_TEXT, "text");

#endif
