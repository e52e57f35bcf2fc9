#define _GNU_SOURCE 1
#include "CTestSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int (*child_body)(void *);
static void *call_child_body(void *context) { _exit(child_body(context)); }

static int fork_child(int (*body)(void *), void *context, int dies_with_parent, int same_thread) {
  pid_t pid = fork();
  if (pid == -1) return -errno;
  if (pid > 0) return pid;
  if (dies_with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (same_thread) _exit(body(context));
  pthread_t thread;
  child_body = body;
  if (pthread_create(&thread, NULL, call_child_body, context) == 0) pthread_join(thread, NULL);
  _exit(70);
}

int test_fork(int (*body)(void *), void *context) { return fork_child(body, context, 1, 0); }
int test_fork_orphan(int (*body)(void *), void *context) { return fork_child(body, context, 0, 0); }
int test_fork_same_thread(int (*body)(void *), void *context) { return fork_child(body, context, 1, 1); }

int test_send_descriptor(int socket, int descriptor) {
  char byte = 0;
  struct iovec data = {&byte, 1};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control = {0};
  control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  *(int *)CMSG_DATA(&control.header) = descriptor;
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  return sendmsg(socket, &message, 0) == 1 ? 0 : -errno;
}

int test_receive_descriptor(int socket) {
  char byte;
  struct iovec data = {&byte, 1};
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
  } control = {0};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (count < 0) return -errno;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (count == 0 || header == NULL || header->cmsg_type != SCM_RIGHTS) return -EPROTO;
  return *(int *)CMSG_DATA(header);
}

int test_read_at(int descriptor, void *buffer, size_t size, int64_t offset) {
  ssize_t count = pread(descriptor, buffer, size, offset);
  if (count < 0) return -errno;
  return (size_t)count == size ? 0 : -EIO;
}

int test_write_at(int descriptor, const void *buffer, size_t size, int64_t offset) {
  ssize_t count = pwrite(descriptor, buffer, size, offset);
  if (count < 0) return -errno;
  return (size_t)count == size ? 0 : -EIO;
}

pid_t test_fork_plain(void) { return fork(); }

int test_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno; }

int test_mount_tmpfs(const char *path, const char *size) {
  char options[64];
  snprintf(options, sizeof options, "size=%s,mode=700", size);
  return mount("test", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0 ? 0 : -errno;
}

int test_unmount(const char *path) { return umount2(path, MNT_DETACH) == 0 ? 0 : -errno; }
