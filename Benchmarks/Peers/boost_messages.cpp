// Boost.Interprocess: message_queue, one for what is sent and, for replies, one for each way.
#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>

#include "peer.h"

namespace bip = boost::interprocess;

namespace {

struct context {
  bip::message_queue *out, *in;
  void *buffer;
};

bool send(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  bip::message_queue *queue = static_cast<context *>(port->context)->out;
  if (wait == BENCH_POLL) return queue->try_send(message, size, 0);
  queue->send(message, size, 0);
  return true;
}

const void *receive(bench_port *port, uint64_t size, bench_wait wait) {
  context *context = static_cast<struct context *>(port->context);
  bip::message_queue::size_type found;
  unsigned priority;
  bool came = true;
  if (wait == BENCH_POLL) came = context->in->try_receive(context->buffer, size, found, priority);
  if (wait == BENCH_BLOCK) context->in->receive(context->buffer, size, found, priority);
  if (wait == BENCH_BLOCK_BRIEFLY) {
    auto limit = boost::posix_time::microsec_clock::universal_time() + boost::posix_time::milliseconds(1);
    came = context->in->timed_receive(context->buffer, size, found, priority, limit);
  }
  return came ? context->buffer : nullptr;
}

// Opened by all, and without a name from then on.
bip::message_queue *open(bench_side *side, unsigned number, uint64_t size) {
  char name[64], path[128];
  peer_name(name, sizeof name, "ipc-bench-%llx-%u", side, number);
  snprintf(path, sizeof path, "/dev/shm/%s", name);
  if (side->index == 0) bench_own_file(path);
  // Room for as many as the library's queue of the same footprint has.
  uint64_t most = size >= (1 << 20) ? 2 : (64 << 10) / size;
  auto *queue = new bip::message_queue(bip::open_or_create, name, most, size);
  bench_meet(side);
  if (side->index == 0) bip::message_queue::remove(name);
  return queue;
}

}  // namespace

static void play(bench_side *side, bench_pattern pattern) try {
  uint64_t size = side->control->message_size;
  bip::message_queue *there = open(side, 0, size), *back = peer_is_request(pattern) ? open(side, 1, size) : nullptr;
  bool near = bench_is_near(side), asks = peer_is_request(pattern) && near;
  context context = {asks || !near ? there : nullptr, asks ? back : there, std::malloc(size)};
  if (peer_is_request(pattern) && !near) context.out = back;
  bench_port port = {side, &context, send, receive, nullptr};
  bench_play_messages(&port, pattern);
} catch (const bip::interprocess_exception &error) {
  bench_fail(side, error.what(), 0);
}

int main(int count, char **arguments) { return peer_main(count, arguments); }
