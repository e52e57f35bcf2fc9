// ZeroMQ over unix sockets (ipc://): PUSH and PULL, XPUB and SUB, REQ and REP.
#include <errno.h>
#include <zmq.h>

#include "peer.h"

typedef struct context {
  void *socket;
  zmq_msg_t message;
} context;

static void check(bench_side *side, const char *what, int status) {
  if (status < 0) bench_fail(side, zmq_strerror(zmq_errno()), 0);
  (void)what;
}

static void set(bench_side *side, void *socket, int option, int value) {
  check(side, "zmq_setsockopt", zmq_setsockopt(socket, option, &value, sizeof value));
}

static bool send_message(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  context *context = port->context;
  while (zmq_send(context->socket, message, size, wait == BENCH_POLL ? ZMQ_DONTWAIT : 0) < 0) {
    if (errno == EAGAIN) return false;
    if (errno != EINTR) check(port->side, "zmq_send", -1);
  }
  return true;
}

static const void *receive_message(bench_port *port, uint64_t size, bench_wait wait) {
  context *context = port->context;
  zmq_pollitem_t ready = {.socket = context->socket, .events = ZMQ_POLLIN};
  if (wait == BENCH_BLOCK_BRIEFLY && zmq_poll(&ready, 1, 1) <= 0) return NULL;
  while (zmq_msg_recv(&context->message, context->socket, wait == BENCH_BLOCK ? 0 : ZMQ_DONTWAIT) < 0) {
    if (errno == EAGAIN) return NULL;
    if (errno != EINTR) check(port->side, "zmq_msg_recv", -1);
  }
  if (zmq_msg_size(&context->message) != size) bench_fail(port->side, "zmq_msg_recv: a message of another size", 0);
  return zmq_msg_data(&context->message);
}

static int kind_of(bench_pattern pattern, bool near) {
  if (pattern == BENCH_TOPIC) return near ? ZMQ_SUB : ZMQ_XPUB;
  if (peer_is_request(pattern)) return near ? ZMQ_REQ : ZMQ_REP;
  return near ? ZMQ_PULL : ZMQ_PUSH;
}

// The near side has one address for each process; a publisher and a server have the address themselves.
static void connect_all(bench_side *side, void *socket, bench_pattern pattern) {
  bool near = bench_is_near(side), far_binds = pattern == BENCH_TOPIC || peer_is_request(pattern);
  char address[64];
  peer_name(address, sizeof address, "ipc://@ipc-bench-%llx-%u", side, near && !far_binds ? bench_member(side) : 0);
  if (near != far_binds) check(side, "zmq_bind", zmq_bind(socket, address));
  bench_meet(side);
  if (near == far_binds) {
    for (unsigned i = 0; i < (far_binds ? 1 : side->control->near_sides); i++) {
      peer_name(address, sizeof address, "ipc://@ipc-bench-%llx-%u", side, i);
      check(side, "zmq_connect", zmq_connect(socket, address));
    }
  }
  // Who publishes before all have subscribed has not published to all.
  if (pattern != BENCH_TOPIC || near) return;
  for (unsigned i = 0; i < side->control->near_sides; i++) {
    char subscription[8];
    check(side, "zmq_recv", zmq_recv(socket, subscription, sizeof subscription, 0));
  }
}

static void play(bench_side *side, bench_pattern pattern) {
  bool near = bench_is_near(side);
  void *library = zmq_ctx_new();
  context context = {.socket = library == NULL ? NULL : zmq_socket(library, kind_of(pattern, near))};
  if (context.socket == NULL) check(side, "zmq_socket", -1);
  zmq_msg_init(&context.message);
  // At most 1000 messages, its own default, and 64 MiB of them wait on each side of a connection; then the sender does, also a publisher.
  uint64_t most = (64 << 20) / side->control->message_size;
  int limit = (int)(most > 1000 ? 1000 : most < 2 ? 2 : most);
  set(side, context.socket, ZMQ_SNDHWM, limit);
  set(side, context.socket, ZMQ_RCVHWM, limit);
  if (pattern == BENCH_TOPIC && !near) {
    set(side, context.socket, ZMQ_XPUB_NODROP, 1);
    set(side, context.socket, ZMQ_XPUB_VERBOSE, 1);
  }
  if (pattern == BENCH_TOPIC && near) check(side, "zmq_setsockopt", zmq_setsockopt(context.socket, ZMQ_SUBSCRIBE, "", 0));
  connect_all(side, context.socket, pattern);
  bench_port port = {.side = side, .context = &context, .send = send_message, .receive = receive_message};
  bench_play_messages(&port, pattern);
  zmq_msg_close(&context.message);
  zmq_close(context.socket);
  zmq_ctx_term(library);
}

int main(int count, char **arguments) { return peer_main(count, arguments); }
