#define _GNU_SOURCE 1
#include "CTestSystem.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "system_calls.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

long test_system_call(long number, long a, long b, long c, long d, long e, long f) {
  long value = syscall(number, a, b, c, d, e, f);
  return value == -1 ? -errno : value;
}

long test_system_call_number(const char *name) {
#define X(call) if (strcmp(name, #call) == 0) return SYS_##call;
  SYSTEM_CALLS
#undef X
  return -1;
}

int test_count_system_calls(int tracepoint) {
  struct perf_event_attr what = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof what, .config = (unsigned)tracepoint, .inherit = 1};
  long file = syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  return file == -1 ? -errno : (int)file;
}

int64_t test_read_count(int descriptor) {
  int64_t count = 0;
  return read(descriptor, &count, sizeof count) == sizeof count ? count : -errno;
}

int test_go_before_others(void) {
  struct sched_param what = {.sched_priority = 1};
  return sched_setscheduler(0, SCHED_FIFO, &what) == 0 ? 0 : -errno;
}

int test_mount_trace(const char *path) {
  return mount("tracefs", path, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL) == 0 ? 0 : -errno;
}
