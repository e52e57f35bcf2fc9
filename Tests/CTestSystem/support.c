#define _GNU_SOURCE 1
#include "CTestSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

int test_fork(int (*body)(void *), void *context) {
  pid_t pid = fork();
  if (pid == -1) return -errno;
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(body(context));
  }
  return pid;
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

int test_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : -errno; }

int test_mount_tmpfs(const char *path, const char *size) {
  char options[64];
  snprintf(options, sizeof options, "size=%s,mode=700", size);
  return mount("test", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0 ? 0 : -errno;
}

int test_unmount(const char *path) { return umount2(path, MNT_DETACH) == 0 ? 0 : -errno; }
