// The library's 1:1 queue in C: the same words, the same stores, the same checks (Documentation/Decisions/0001-queue-protocol.md).
// What the library costs beyond this is Swift's doing, or ours.
#ifndef RING_RECORD_H
#define RING_RECORD_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RING_INLINE static inline __attribute__((always_inline))
#define RING_COLD __attribute__((noinline, cold, unused))

// The words that the two sides share, where the library has them (ipc_queue).
typedef struct ring_control {
  uint64_t consumed;              // by the receiver: up to here all is taken
  uint64_t reserved0[7];
  struct {
    uint64_t position, sequence, remaining, reserved;
  } progress[2];                  // by the receiver: the entry whose position is `consumed` is in force
  uint32_t receiver_flags;        // by the receiver when it sleeps
  uint8_t reserved1[124];
  uint32_t sender_flags;          // by the sender when it sleeps
  uint8_t reserved2[124];
  uint32_t receiver_event;        // futex words
  uint8_t reserved3[60];
  uint32_t sender_event;
} ring_control;
_Static_assert(__builtin_offsetof(ring_control, progress) == 64, "as in the library");
_Static_assert(__builtin_offsetof(ring_control, receiver_flags) == 128, "as in the library");
_Static_assert(__builtin_offsetof(ring_control, sender_flags) == 256, "as in the library");
_Static_assert(__builtin_offsetof(ring_control, receiver_event) == 384, "as in the library");

// A record's header: 1 published | 1 control | 22 check | 40 length.
#define RING_LENGTH_BITS 40
#define RING_LENGTH_MASK ((1ull << RING_LENGTH_BITS) - 1)
#define RING_PUBLISHED (1ull << 63)
#define RING_CHECK(sequence) (((sequence) & ((1ull << 22) - 1)) << RING_LENGTH_BITS)

typedef struct ring_sender {
  ring_control *control;
  uint8_t *data;
  uint64_t capacity, tail, offset, sequence;
  uint64_t consumed;              // as last seen
} ring_sender;

typedef struct ring_receiver {
  ring_control *control;
  uint8_t *data;
  uint64_t capacity, head, offset, sequence, entry;
} ring_receiver;

// What stands in shared memory is input; in the library this is an error that names its field.
static RING_COLD void ring_corrupt(void) { abort(); }

// The other side sleeps, or cannot be relied upon to see our store without a fence.
static RING_COLD void ring_wake(uint32_t *flags, uint32_t *event) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (__atomic_load_n(flags, __ATOMIC_RELAXED) == 0) return;
  __atomic_fetch_add(event, 1, __ATOMIC_RELEASE);
  syscall(SYS_futex, event, FUTEX_WAKE, 1, NULL, NULL, 0);
}

// No fence of the processor: the sleeper runs one in this thread (membarrier) before it sleeps.
RING_INLINE void ring_wake_if_asleep(uint32_t *flags, uint32_t *event) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (__builtin_expect(__atomic_load_n(flags, __ATOMIC_RELAXED) != 0, 0)) ring_wake(flags, event);
}

RING_INLINE uint64_t ring_record_size(uint64_t length, uint64_t alignment) {
  return alignment + ((length + alignment - 1) & ~(alignment - 1));
}

static RING_COLD bool ring_look_for_room(ring_sender *sender, uint64_t end) {
  uint64_t consumed = __atomic_load_n(&sender->control->consumed, __ATOMIC_ACQUIRE);
  // Neither backwards nor past what was sent.
  if (consumed - sender->consumed > sender->tail - sender->consumed) ring_corrupt();
  sender->consumed = consumed;
  return end - consumed <= sender->capacity;
}

// The place for a payload of `length` bytes, or NULL while the ring is full.
RING_INLINE uint8_t *ring_reserve(ring_sender *sender, uint64_t length, uint64_t alignment) {
  // The next record's header must fit too: it is zeroed before this record is published.
  uint64_t end = sender->tail + ring_record_size(length, alignment) + alignment;
  if (__builtin_expect(end - sender->consumed > sender->capacity, 0) && !ring_look_for_room(sender, end)) return NULL;
  return sender->data + sender->offset + alignment;
}

// Publishes `messages` messages that fill the reserved `length` bytes.
RING_INLINE void ring_publish(ring_sender *sender, uint64_t length, uint64_t messages, uint64_t alignment) {
  uint64_t size = ring_record_size(length, alignment);
  uint8_t *header = sender->data + sender->offset + alignment - 8;
  __atomic_store_n((uint64_t *)(header + size), 0, __ATOMIC_RELAXED);
  __atomic_store_n((uint64_t *)header, RING_PUBLISHED | RING_CHECK(sender->sequence) | length, __ATOMIC_RELEASE);
  sender->tail += size;
  sender->offset += size;
  if (sender->offset >= sender->capacity) sender->offset -= sender->capacity;
  sender->sequence += messages;
  ring_wake_if_asleep(&sender->control->receiver_flags, &sender->control->receiver_event);
}

// Control records, and headers that nobody of ours has written. The benchmark sends none.
static RING_COLD uint64_t ring_look_at_header(const ring_receiver *receiver, uint64_t header, uint64_t unit) {
  uint64_t length = header & RING_LENGTH_MASK;
  if ((header & ~RING_LENGTH_MASK) != (RING_PUBLISHED | RING_CHECK(receiver->sequence))) ring_corrupt();
  if (length > receiver->capacity || length % unit != 0) ring_corrupt();
  return length;
}

// The payload of the next record and its length, a multiple of `unit`, or NULL while the ring is empty. `usual` is the length that is
// compared first.
RING_INLINE const uint8_t *ring_peek(const ring_receiver *receiver, uint64_t unit, uint64_t usual, uint64_t alignment, uint64_t *length) {
  const uint8_t *place = receiver->data + receiver->offset + alignment;
  uint64_t header = __atomic_load_n((const uint64_t *)(place - 8), __ATOMIC_ACQUIRE);
  if (__builtin_expect(header == (RING_PUBLISHED | RING_CHECK(receiver->sequence) | usual), 1)) {
    *length = usual;
    return place;
  }
  if (header == 0) return NULL;
  *length = ring_look_at_header(receiver, header, unit);
  return place;
}

// Takes the record of `length` bytes and `messages` messages that `ring_peek` has found.
RING_INLINE void ring_take(ring_receiver *receiver, uint64_t length, uint64_t messages, uint64_t alignment) {
  uint64_t size = ring_record_size(length, alignment);
  receiver->head += size;
  receiver->offset += size;
  if (receiver->offset >= receiver->capacity) receiver->offset -= receiver->capacity;
  receiver->sequence += messages;
  // The entry that is not in force: `consumed` puts it in force.
  uint64_t entry = receiver->entry ^= 1;
  __atomic_store_n(&receiver->control->progress[entry].position, receiver->head, __ATOMIC_RELAXED);
  __atomic_store_n(&receiver->control->progress[entry].sequence, receiver->sequence, __ATOMIC_RELAXED);
  __atomic_store_n(&receiver->control->progress[entry].remaining, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&receiver->control->consumed, receiver->head, __ATOMIC_RELEASE);
  ring_wake_if_asleep(&receiver->control->sender_flags, &receiver->control->sender_event);
}

#endif
