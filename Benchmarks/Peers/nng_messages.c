// nng over unix sockets (ipc://): push and pull, pub and sub, req and rep.
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <sched.h>

#include "peer.h"

// nng's publisher drops what a subscriber has no room for. So that all get all, it is at most this many messages ahead of the slowest one;
// the subscribers count in shared memory what they have received.
enum { WINDOW = 64 };

typedef struct context {
  nng_socket socket;
  nng_msg *message;
  bench_received *received;  // by the subscribers of a topic; NULL elsewhere
  uint64_t sent;
} context;

static void check(bench_side *side, int status) {
  if (status != 0) bench_fail(side, nng_strerror(status), 0);
}

static void wait_for_subscribers(bench_side *side, context *context) {
  for (uint32_t i = 0; i < side->control->near_sides; i++) {
    while (context->sent - __atomic_load_n(&context->received[i].count, __ATOMIC_ACQUIRE) >= WINDOW) sched_yield();
  }
  context->sent++;
}

static bool send_message(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  context *context = port->context;
  if (context->received != NULL) wait_for_subscribers(port->side, context);
  nng_msg *copy;
  check(port->side, nng_msg_alloc(&copy, size));
  memcpy(nng_msg_body(copy), message, size);
  int status = nng_sendmsg(context->socket, copy, wait == BENCH_POLL ? NNG_FLAG_NONBLOCK : 0);
  if (status != 0) nng_msg_free(copy);
  if (status == NNG_EAGAIN) return false;
  check(port->side, status);
  return true;
}

static const void *receive_message(bench_port *port, uint64_t size, bench_wait wait) {
  context *context = port->context;
  int status = nng_recvmsg(context->socket, &context->message, wait == BENCH_POLL ? NNG_FLAG_NONBLOCK : 0);
  if (status == NNG_EAGAIN || (status == NNG_ETIMEDOUT && wait == BENCH_BLOCK_BRIEFLY)) return NULL;
  check(port->side, status);
  if (nng_msg_len(context->message) != size) bench_fail(port->side, "nng_recvmsg: a message of another size", 0);
  return nng_msg_body(context->message);
}

static void release(bench_port *port) { nng_msg_free(((context *)port->context)->message); }

static void open_socket(bench_side *side, context *context, bench_pattern pattern) {
  bool near = bench_is_near(side);
  if (pattern == BENCH_TOPIC) {
    check(side, near ? nng_sub0_open(&context->socket) : nng_pub0_open(&context->socket));
    check(side, nng_socket_set_int(context->socket, near ? NNG_OPT_RECVBUF : NNG_OPT_SENDBUF, 2 * WINDOW));
    if (near) check(side, nng_socket_set(context->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0));
    if (!near) context->received = bench_map_received(side);
  } else if (peer_is_request(pattern)) {
    check(side, near ? nng_req0_open(&context->socket) : nng_rep0_open(&context->socket));
    // No second asking, however long 64 MiB take.
    if (near) check(side, nng_socket_set_ms(context->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE));
  } else {
    check(side, near ? nng_pull0_open(&context->socket) : nng_push0_open(&context->socket));
  }
  check(side, nng_socket_set_size(context->socket, NNG_OPT_RECVMAXSZ, 0));
  if (pattern == BENCH_MANY_TO_MANY && near) check(side, nng_socket_set_ms(context->socket, NNG_OPT_RECVTIMEO, 1));
}

static void count_pipe(nng_pipe pipe, nng_pipe_ev event, void *count) {
  (void)pipe, (void)event;
  __atomic_fetch_add((uint32_t *)count, 1, __ATOMIC_RELEASE);
}

// The near side has one address for each process; a publisher and a server have the address themselves.
static void connect_all(bench_side *side, context *context, bench_pattern pattern) {
  bool near = bench_is_near(side), far_binds = pattern == BENCH_TOPIC || peer_is_request(pattern);
  static uint32_t pipes = 0;
  check(side, nng_pipe_notify(context->socket, NNG_PIPE_EV_ADD_POST, count_pipe, &pipes));
  char address[64];
  peer_name(address, sizeof address, "abstract://ipc-bench-%llx-%u", side, near && !far_binds ? bench_member(side) : 0);
  if (near != far_binds) check(side, nng_listen(context->socket, address, NULL, 0));
  bench_meet(side);
  if (near == far_binds) {
    for (unsigned i = 0; i < (far_binds ? 1 : side->control->near_sides); i++) {
      peer_name(address, sizeof address, "abstract://ipc-bench-%llx-%u", side, i);
      check(side, nng_dial(context->socket, address, NULL, 0));
    }
  } else {
    uint32_t others = near ? bench_far_sides(side) : side->control->near_sides;
    while (__atomic_load_n(&pipes, __ATOMIC_ACQUIRE) < others) sched_yield();
  }
  bench_meet(side);
}

static void play(bench_side *side, bench_pattern pattern) {
  context context = {.message = NULL};
  open_socket(side, &context, pattern);
  connect_all(side, &context, pattern);
  bench_port port = {.side = side, .context = &context, .send = send_message, .receive = receive_message, .release = release};
  bench_play_messages(&port, pattern);
  nng_close(context.socket);
}

int main(int count, char **arguments) { return peer_main(count, arguments); }
