// The two usual rings of fixed slots, with the usual one line per index. Neither survives a kill; both are as fast as such rings get.
#ifndef RING_RIVALS_H
#define RING_RIVALS_H

#include "ring_record.h"

// Indices on lines of their own; each side keeps a copy of the other's and looks again only when that says full or empty.
typedef struct slot_control {
  uint64_t head;          // by the receiver
  uint8_t reserved0[120];
  uint64_t tail;          // by the sender
  uint8_t reserved1[120];
} slot_control;

typedef struct slot_side {
  slot_control *control;
  uint8_t *data;
  uint64_t slots, mine, theirs;  // mine: our own index; theirs: the other's as last seen
} slot_side;

RING_INLINE bool cached_send(slot_side *side, const void *message, uint64_t size) {
  if (side->mine - side->theirs == side->slots) {
    side->theirs = __atomic_load_n(&side->control->head, __ATOMIC_ACQUIRE);
    if (side->mine - side->theirs == side->slots) return false;
  }
  memcpy(side->data + (side->mine & (side->slots - 1)) * size, message, size);
  __atomic_store_n(&side->control->tail, ++side->mine, __ATOMIC_RELEASE);
  return true;
}

RING_INLINE bool cached_receive(slot_side *side, void *message, uint64_t size) {
  if (side->mine == side->theirs) {
    side->theirs = __atomic_load_n(&side->control->tail, __ATOMIC_ACQUIRE);
    if (side->mine == side->theirs) return false;
  }
  memcpy(message, side->data + (side->mine & (side->slots - 1)) * size, size);
  __atomic_store_n(&side->control->head, ++side->mine, __ATOMIC_RELEASE);
  return true;
}

// A sequence number stands before each payload, in its line: n + 1 says that message n is there.
RING_INLINE bool sequence_send(slot_side *side, const void *message, uint64_t size) {
  if (side->mine - side->theirs == side->slots) {
    side->theirs = __atomic_load_n(&side->control->head, __ATOMIC_ACQUIRE);
    if (side->mine - side->theirs == side->slots) return false;
  }
  uint8_t *slot = side->data + (side->mine & (side->slots - 1)) * (8 + size);
  memcpy(slot + 8, message, size);
  __atomic_store_n((uint64_t *)slot, ++side->mine, __ATOMIC_RELEASE);
  return true;
}

RING_INLINE bool sequence_receive(slot_side *side, void *message, uint64_t size) {
  const uint8_t *slot = side->data + (side->mine & (side->slots - 1)) * (8 + size);
  if (__atomic_load_n((const uint64_t *)slot, __ATOMIC_ACQUIRE) != side->mine + 1) return false;
  memcpy(message, slot + 8, size);
  __atomic_store_n(&side->control->head, ++side->mine, __ATOMIC_RELEASE);
  return true;
}

#endif
