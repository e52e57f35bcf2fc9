// Message queues, sockets and files: what carries messages without any library.
#define _GNU_SOURCE
#include "benchmark_messages.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// What the calls take: a type, which says nothing here, in front of the message.
typedef struct system_v_message {
  long type;
  uint8_t bytes[];
} system_v_message;

// Where messages go and come from, and where they arrive.
typedef struct carrier {
  uint8_t *buffer;
  int input, output;
  system_v_message *message;
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

static bool file_send(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  const carrier *carrier = port->context;
  if (wait != BENCH_BLOCK) bench_fail(port->side, "files are written waiting", 0);
  for (const uint8_t *next = message; size > 0;) {
    ssize_t written = write(carrier->output, next, size);
    if (written > 0) next += written, size -= (uint64_t)written;
    if (written < 0 && errno != EINTR) bench_fail(port->side, "write", errno);
  }
  return true;
}

static const void *file_receive(bench_port *port, uint64_t size, bench_wait wait) {
  carrier *carrier = port->context;
  if (wait != BENCH_BLOCK) bench_fail(port->side, "files are read waiting", 0);
  for (uint64_t done = 0; done < size;) {
    ssize_t found = read(carrier->input, carrier->buffer + done, size - done);
    if (found == 0) bench_fail(port->side, "read: the other side has closed", 0);
    if (found > 0) done += (uint64_t)found;
    if (found < 0 && errno != EINTR) bench_fail(port->side, "read", errno);
  }
  return carrier->buffer;
}

// No signal comes between making a queue and having noted it.
static int32_t make_queue(bench_side *side, int index) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int queue = msgget(IPC_PRIVATE, 0600), error = errno;
  if (queue >= 0) cleanup_own_queue(index, queue);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (queue < 0) bench_fail(side, "msgget", error);
  return queue;
}

bench_queues bench_open_queues(bench_side *side) {
  // Behind the counts of who has received how many.
  bench_queues *queues = (bench_queues *)(void *)((uint8_t *)bench_map(side, 0, BENCH_PAGE) + BENCH_PAGE / 2);
  if (bench_is_near(side)) {
    cleanup_prepare();
    *queues = (bench_queues){.there = make_queue(side, 0), .back = make_queue(side, 1)};
  }
  bench_meet(side);
  return *queues;
}

static bool system_v_send(bench_port *port, const void *message, uint64_t size, bench_wait wait) {
  const carrier *carrier = port->context;
  system_v_message *outgoing = carrier->message;
  outgoing->type = 1;
  memcpy(outgoing->bytes, message, size);
  while (msgsnd(carrier->output, outgoing, size, wait == BENCH_BLOCK ? 0 : IPC_NOWAIT) != 0) {
    if (errno == EAGAIN) return false;
    if (errno != EINTR) bench_fail(port->side, "msgsnd", errno);
  }
  return true;
}

static const void *system_v_receive(bench_port *port, uint64_t size, bench_wait wait) {
  const carrier *carrier = port->context;
  while (true) {
    ssize_t found = msgrcv(carrier->input, carrier->message, size, 0, wait == BENCH_BLOCK ? 0 : IPC_NOWAIT);
    if (found == (ssize_t)size) return carrier->message->bytes;
    if (found >= 0) bench_fail(port->side, "msgrcv: a message of another size", 0);
    if (errno == ENOMSG) return NULL;
    if (errno != EINTR) bench_fail(port->side, "msgrcv", errno);
  }
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
  if (kind == BENCH_SYSV_QUEUE) {
    bench_queues queues = bench_open_queues(side);
    bool near = bench_is_near(side), is_one_way = pattern == BENCH_MANY_TO_ONE;
    carrier.input = near && !is_one_way ? queues.back : queues.there;
    carrier.output = near || is_one_way ? queues.there : queues.back;
    carrier.message = malloc(sizeof *carrier.message + size);
    if (carrier.message == NULL) bench_fail(side, "malloc", errno);
  }
  bench_port port = {.side = side, .context = &carrier};
  switch (kind) {
    case BENCH_POSIX_QUEUE: port.send = queue_send, port.receive = queue_receive; break;
    case BENCH_UNIX_DATAGRAM: port.send = datagram_send, port.receive = datagram_receive; break;
    case BENCH_UNIX_STREAM: port.send = stream_send, port.receive = stream_receive; break;
    case BENCH_FILES: port.send = file_send, port.receive = file_receive; break;
    case BENCH_SYSV_QUEUE: port.send = system_v_send, port.receive = system_v_receive; break;
  }
  bench_play_messages(&port, pattern);
  free(carrier.buffer);
  free(carrier.message);
}
