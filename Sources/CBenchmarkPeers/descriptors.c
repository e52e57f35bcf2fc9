// What the coordinator makes for the sides of a case whose mechanism is a descriptor.
#define _GNU_SOURCE
#include "benchmark_messages.h"

#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

// A rival is given the largest buffer that an unprivileged program can have, where messages are large.
enum { LARGE = 4096, PIPE_BUFFER = 1 << 20, SOCKET_BUFFER = 1 << 20 };

void bench_enlarge_pipe(int pipe) { fcntl(pipe, F_SETPIPE_SZ, PIPE_BUFFER); }

int bench_make_pipes(bench_descriptors *result, uint64_t message_size) {
  int there[2], back[2];
  if (pipe2(there, O_CLOEXEC) != 0) return -errno;
  if (pipe2(back, O_CLOEXEC) != 0) {
    int error = errno;
    close(there[0]), close(there[1]);
    return -error;
  }
  if (message_size > LARGE) bench_enlarge_pipe(back[1]);
  *result = (bench_descriptors){.near_input = back[0], .near_output = there[1], .far_input = there[0], .far_output = back[1]};
  return 0;
}

int bench_make_sockets(bench_descriptors *result, uint64_t message_size) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -errno;
  const int buffer = SOCKET_BUFFER;
  if (message_size > LARGE) {
    for (int i = 0; i < 2; i++) setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  }
  *result = (bench_descriptors){.near_input = pair[0], .near_output = pair[0], .far_input = pair[1], .far_output = pair[1]};
  return 0;
}

int bench_make_eventfds(bench_descriptors *result) {
  int there = eventfd(0, EFD_CLOEXEC);
  if (there < 0) return -errno;
  int back = eventfd(0, EFD_CLOEXEC);
  if (back < 0) {
    int error = errno;
    close(there);
    return -error;
  }
  *result = (bench_descriptors){.near_input = back, .near_output = there, .far_input = there, .far_output = back};
  return 0;
}

static int make_pair(bench_descriptors *result, int type) {
  int pair[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) != 0) return -errno;
  *result = (bench_descriptors){.near_input = pair[0], .near_output = pair[0], .far_input = pair[1], .far_output = pair[1]};
  return 0;
}

int bench_make_datagrams(bench_descriptors *result) { return make_pair(result, SOCK_DGRAM); }
int bench_make_seqpackets(bench_descriptors *result) { return make_pair(result, SOCK_SEQPACKET); }

// A queue without a name from the first moment on that somebody could forget it: on Linux it is a descriptor.
static int make_queue(int number, uint64_t message_size) {
  // As many messages as an unprivileged program may have by default.
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = (long)message_size};
  char name[64];
  snprintf(name, sizeof name, "/ipc-bench-%d-%d", (int)getpid(), number);
  int queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &attributes);
  if (queue < 0) return -errno;
  mq_unlink(name);
  return queue;
}

int bench_make_queues(bench_descriptors *result, uint64_t message_size) {
  int there = make_queue(0, message_size);
  if (there < 0) return there;
  int back = make_queue(1, message_size);
  if (back < 0) {
    close(there);
    return back;
  }
  *result = (bench_descriptors){.near_input = back, .near_output = there, .far_input = there, .far_output = back};
  return 0;
}
