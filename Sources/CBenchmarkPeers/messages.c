// The loops of the messaging benchmarks. A rival is a few calls through pointers: they cost two nanoseconds, the fastest of these rivals
// some fifty.
#define _GNU_SOURCE
#include "benchmark_messages.h"

#include <errno.h>
#include <stdlib.h>

// A message's first word says who sent it and its number there.
enum { SENDER_SHIFT = 48 };
// Messages that go before the measurement where they are so large that touching their memory for the first time would count.
static uint64_t warm_up(uint64_t size) { return size >= BENCH_LOOKED_AT ? 4 : 0; }

static uint64_t *make_message(bench_side *side, uint64_t size) {
  uint64_t *message = aligned_alloc(BENCH_PAGE, (size + BENCH_PAGE - 1) & ~(BENCH_PAGE - 1ull));
  if (message == NULL) bench_fail(side, "aligned_alloc", errno);
  bench_fill(message, size, 1);
  return message;
}

static void send(bench_port *port, const void *message, uint64_t size, bool polls) {
  bench_use(message);
  while (!port->send(port, message, size, polls ? BENCH_POLL : BENCH_BLOCK)) bench_pause();
}

// The first word of the next message.
static uint64_t look_at(bench_port *port, const void *message, uint64_t size) {
  uint64_t word = *(const uint64_t *)message;
  if (size >= BENCH_LOOKED_AT) {
    uint64_t sum = bench_sum(message, size);
    bench_use(&sum);
  }
  bench_use(message);
  if (port->release != NULL) port->release(port);
  return word;
}

static uint64_t receive(bench_port *port, uint64_t size, bool polls) {
  const void *message;
  while ((message = port->receive(port, size, polls ? BENCH_POLL : BENCH_BLOCK)) == NULL) bench_pause();
  return look_at(port, message, size);
}

static void expect(bench_port *port, uint64_t found, uint64_t expected) {
  if (found != expected) bench_fail(port->side, "a message is not the one that was sent", 0);
}

// Of `all` messages, those that this process sends.
static uint64_t share(bench_side *side, uint64_t all) {
  uint64_t senders = bench_far_sides(side);
  return all / senders + (bench_member(side) < all % senders);
}

static void send_share(bench_port *port, uint64_t size) {
  bench_side *side = port->side;
  uint64_t *message = make_message(side, size);
  uint64_t count = share(side, side->count), warm = warm_up(size), tag = (uint64_t)bench_member(side) << SENDER_SHIFT;
  for (uint64_t i = 0; i < warm + count; i++) {
    if (i == warm) bench_start(side);
    message[0] = tag | i;
    send(port, message, size, false);
  }
  if (count == 0) bench_start(side);
  bench_stop(side);
  free(message);
}

// All messages of all senders; each sender's come one after the other.
static void receive_all(bench_port *port, uint64_t size) {
  bench_side *side = port->side;
  uint64_t next[BENCH_MOST_SIDES] = {0}, senders = bench_far_sides(side), warm = senders * warm_up(size);
  bench_received *received = bench_map_received(side) + bench_member(side);
  for (uint64_t i = 0; i < warm + side->count; i++) {
    if (i == warm) bench_start(side);
    uint64_t word = receive(port, size, false), sender = word >> SENDER_SHIFT;
    if (sender >= senders) bench_fail(side, "a message says that nobody sent it", 0);
    expect(port, word & ((1ull << SENDER_SHIFT) - 1), next[sender]++);
    bench_set_received(received, i + 1);
  }
  bench_stop(side);
}

// Whatever comes, until all have received all together. The measurement ends before the wait that brought nothing any more.
static void receive_some(bench_port *port, uint64_t size) {
  bench_side *side = port->side;
  bench_received *all = bench_map_received(side), *mine = all + bench_member(side);
  uint64_t next[BENCH_MOST_SIDES] = {0}, senders = bench_far_sides(side), count = 0, idle_since = 0;
  bench_start(side);
  while (true) {
    const void *message = port->receive(port, size, BENCH_POLL);
    if (message == NULL) {
      if (idle_since == 0) idle_since = bench_ticks();
      message = port->receive(port, size, BENCH_BLOCK_BRIEFLY);
    }
    if (message == NULL) {
      if (bench_received_by_all(side, all) >= side->count) break;
      continue;
    }
    idle_since = 0;
    uint64_t word = look_at(port, message, size), sender = word >> SENDER_SHIFT, number = word & ((1ull << SENDER_SHIFT) - 1);
    if (sender >= senders) bench_fail(side, "a message says that nobody sent it", 0);
    if (number < next[sender]) bench_fail(side, "a message came twice, or after a later one", 0);
    next[sender] = number + 1;
    bench_set_received(mine, ++count);
  }
  bench_stop(side);
  bench_set_stopped(side, idle_since);
  if (bench_received_by_all(side, all) != side->count) bench_fail(side, "more messages came than were sent", 0);
}

static void request(bench_port *port, uint64_t size, bool polls) {
  bench_side *side = port->side;
  uint64_t *message = make_message(side, size), warm = 2, before = 0;
  for (uint64_t i = 0; i < warm + side->count; i++) {
    if (i == warm) {
      bench_start(side);
      before = bench_ticks();
    }
    message[0] = i;
    send(port, message, size, polls);
    expect(port, receive(port, size, polls), ~i);
    if (i < warm) continue;
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
  free(message);
}

static void reply(bench_port *port, uint64_t size, bool polls) {
  bench_side *side = port->side;
  uint64_t *message = make_message(side, size), warm = 2;
  for (uint64_t i = 0; i < warm + side->count; i++) {
    if (i == warm) bench_start(side);
    uint64_t found = receive(port, size, polls);
    expect(port, found, i);
    message[0] = ~found;
    send(port, message, size, polls);
  }
  bench_stop(side);
  free(message);
}

static void sleep_for_messages(bench_port *port, uint64_t size) {
  bench_side *side = port->side;
  bench_start(side);
  for (uint64_t i = 0; i < side->count; i++) {
    bench_announce_sleep(side);
    const void *message;
    while ((message = port->receive(port, size, BENCH_BLOCK)) == NULL) bench_pause();
    bench_record_wakeup(side);
    expect(port, look_at(port, message, size), i);
  }
  bench_stop(side);
}

static void wake_by_messages(bench_port *port, uint64_t size) {
  bench_side *side = port->side;
  uint64_t *message = make_message(side, size);
  bench_start(side);
  for (uint64_t i = 0; i < side->count; i++) {
    message[0] = i;
    bench_await_sleeper(side);
    send(port, message, size, false);
    bench_end_wakeup(side);
  }
  bench_stop(side);
  free(message);
}

uint64_t bench_received_by_all(bench_side *side, bench_received *received) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < side->control->near_sides; i++) sum += __atomic_load_n(&received[i].count, __ATOMIC_ACQUIRE);
  return sum;
}

bench_received *bench_map_received(bench_side *side) {
  _Static_assert(BENCH_MOST_SIDES * sizeof(bench_received) <= BENCH_PAGE, "the counts are a page");
  return bench_map(side, 0, BENCH_PAGE);
}

void bench_play_messages(bench_port *port, bench_pattern pattern) {
  bench_side *side = port->side;
  uint64_t size = side->control->message_size;
  bool near = bench_is_near(side);
  switch (pattern) {
    case BENCH_MANY_TO_ONE:
    case BENCH_TOPIC: near ? receive_all(port, size) : send_share(port, size); break;
    case BENCH_MANY_TO_MANY: near ? receive_some(port, size) : send_share(port, size); break;
    case BENCH_REQUEST_POLLING:
    case BENCH_REQUEST_BLOCKING: (near ? request : reply)(port, size, pattern == BENCH_REQUEST_POLLING); break;
    case BENCH_MESSAGE_WAKEUP: (near ? sleep_for_messages : wake_by_messages)(port, size); break;
  }
  bench_leave(side);
}
