// POSIX message queues and unix sockets: what carries messages without any library.
#define _GNU_SOURCE
#include "benchmark_messages.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// How far a transfer of a large message has come; and where messages arrive.
typedef struct carrier {
  uint8_t *buffer;
  int input, output;
  uint32_t subscribers;  // of a topic: the sockets from BENCH_INPUT on
} carrier;

static struct timespec time_in(long nanoseconds) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += nanoseconds;
  if (time.tv_nsec >= 1000000000) time.tv_sec++, time.tv_nsec -= 1000000000;
  return time;
}

static bool queue_send(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  const carrier *carrier = port->context;
  const struct timespec past = {0};
  while (true) {
    int status = wait == BENCH_POLL ? mq_timedsend(carrier->output, message, size, 0, &past) : mq_send(carrier->output, message, size, 0);
    if (status == 0) return true;
    if (errno == ETIMEDOUT) return false;
    if (errno != EINTR) bench_fail(port->side, "mq_send", errno);
  }
}

static const void *queue_receive(bench_port *port, uint64_t size, bench_wait wait) {
  carrier *carrier = port->context;
  struct timespec limit = {0};
  if (wait == BENCH_BLOCK_BRIEFLY) limit = time_in(1000000);
  while (true) {
    ssize_t found = wait == BENCH_BLOCK ? mq_receive(carrier->input, (char *)carrier->buffer, size, NULL)
                                        : mq_timedreceive(carrier->input, (char *)carrier->buffer, size, NULL, &limit);
    if (found == (ssize_t)size) return carrier->buffer;
    if (found >= 0) bench_fail(port->side, "mq_receive: a message of another size", 0);
    if (errno == ETIMEDOUT) return NULL;
    if (errno != EINTR) bench_fail(port->side, "mq_receive", errno);
  }
}

static bool datagram_send(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  const carrier *carrier = port->context;
  while (true) {
    if (send(carrier->output, message, size, MSG_NOSIGNAL | (wait == BENCH_POLL ? MSG_DONTWAIT : 0)) == (ssize_t)size) return true;
    if (errno == EAGAIN) return false;
    if (errno != EINTR) bench_fail(port->side, "send", errno);
  }
}

static const void *datagram_receive(bench_port *port, uint64_t size, bench_wait wait) {
  carrier *carrier = port->context;
  struct pollfd ready = {.fd = carrier->input, .events = POLLIN};
  if (wait == BENCH_BLOCK_BRIEFLY && poll(&ready, 1, 1) <= 0) return NULL;
  while (true) {
    ssize_t found = recv(carrier->input, carrier->buffer, size, wait == BENCH_BLOCK ? 0 : MSG_DONTWAIT);
    if (found == (ssize_t)size) return carrier->buffer;
    if (found >= 0) bench_fail(port->side, "recv: a message of another size", 0);
    if (errno == EAGAIN) return NULL;
    if (errno != EINTR) bench_fail(port->side, "recv", errno);
  }
}

// The whole message, however many calls it takes. Who polls asks again at once instead of sleeping.
static void stream_write(bench_side *side, int socket, const uint8_t *next, uint64_t size, bench_wait wait) {
  while (size > 0) {
    ssize_t written = send(socket, next, size, MSG_NOSIGNAL | (wait == BENCH_POLL ? MSG_DONTWAIT : 0));
    if (written > 0) next += written, size -= (uint64_t)written;
    if (written < 0 && errno != EINTR && errno != EAGAIN) bench_fail(side, "send", errno);
    if (written < 0) bench_pause();
  }
}

static bool stream_send(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  const carrier *carrier = port->context;
  for (uint32_t i = 0; i < carrier->subscribers; i++) stream_write(port->side, carrier->output + (int)i, message, size, wait);
  return true;
}

static const void *stream_receive(bench_port *port, uint64_t size, bench_wait wait) {
  carrier *carrier = port->context;
  for (uint64_t done = 0; done < size;) {
    ssize_t found = recv(carrier->input, carrier->buffer + done, size - done, wait == BENCH_BLOCK ? 0 : MSG_DONTWAIT);
    if (found == 0) bench_fail(port->side, "recv: the other side has closed", 0);
    if (found > 0) done += (uint64_t)found;
    if (found > 0) continue;
    if (errno == EAGAIN && done == 0) return NULL;
    if (errno != EINTR && errno != EAGAIN) bench_fail(port->side, "recv", errno);
    bench_pause();
  }
  return carrier->buffer;
}

void bench_carry_messages(bench_side *side, bench_carrier kind, bench_pattern pattern) {
  uint64_t size = side->control->message_size;
  bool is_topic = pattern == BENCH_TOPIC;
  carrier carrier = {.buffer = aligned_alloc(BENCH_PAGE, (size + BENCH_PAGE - 1) & ~(BENCH_PAGE - 1ull)),
                     .input = BENCH_INPUT,
                     .output = BENCH_OUTPUT,
                     .subscribers = 1};
  if (carrier.buffer == NULL) bench_fail(side, "aligned_alloc", errno);
  if (is_topic) {
    carrier.input = BENCH_INPUT + (int)bench_member(side);
    carrier.output = BENCH_INPUT;
    carrier.subscribers = side->control->near_sides;
  }
  bench_port port = {.side = side, .context = &carrier};
  switch (kind) {
    case BENCH_POSIX_QUEUE: port.send = queue_send, port.receive = queue_receive; break;
    case BENCH_UNIX_DATAGRAM: port.send = datagram_send, port.receive = datagram_receive; break;
    case BENCH_UNIX_STREAM: port.send = stream_send, port.receive = stream_receive; break;
  }
  bench_play_messages(&port, pattern);
  free(carrier.buffer);
}
