// The bytes that processes share. Plain fixed-width fields, no padding, every offset and size asserted.
// Documentation/Layout is printed from the same offsets by `ipc layout`; a test holds the two together.
#ifndef INTERPROCESS_LAYOUT_H
#define INTERPROCESS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define IPC_LAYOUT_VERSION 2u
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
  uint8_t reserved0[192];
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

// One side of a handoff. 128 bytes: two lines, against adjacent-line prefetch.
typedef struct ipc_handoff_side {
  uint64_t role;            // PeerID in bits 0-31, session in 32-53, ending of the session before in 56-59, ending in 60-63 (as a queue's; 3 clash)
  uint32_t flags;           // as receiver_flags
  uint32_t cpu;             // processor it last waited on, plus 1
  uint32_t event;           // futex word, incremented by the other side
  uint8_t reserved[108];
} ipc_handoff_side;
_Static_assert(sizeof(ipc_handoff_side) == 128, "a side is two lines");

// A handoff's control block. 512 bytes.
typedef struct ipc_handoff {
  // 0: what travels, in one line
  uint64_t turn;            // the pair's sessions in bits 0-21 (parent) and 22-43 (child), whose turn it is in bit 63 (1 the child's)
  uint64_t value[2];        // what each side (0 the parent) gave with the turn, written before it gave the turn
  uint8_t reserved0[104];
  // 128
  ipc_handoff_side parent;
  ipc_handoff_side child;
  uint8_t reserved1[128];
} ipc_handoff;
_Static_assert(sizeof(ipc_handoff) == 512, "handoff control block");
_Static_assert(offsetof(ipc_handoff, parent) == 128, "parent");
_Static_assert(offsetof(ipc_handoff, child) == 256, "child");

#endif
