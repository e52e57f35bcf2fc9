#define _GNU_SOURCE
#include "benchmark_side.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

// The best of many tries, each long enough for a counter that advances in steps of ten nanoseconds.
static uint64_t cost_of_readings(void) {
  uint64_t best = UINT64_MAX;
  for (int tries = 0; tries < 20; tries++) {
    uint64_t first = bench_ticks(), last = first;
    for (int i = 0; i < BENCH_READINGS; i++) last = bench_ticks();
    if (last - first < best) best = last - first;
  }
  return best;
}

// Counts this process's system calls, and those of the threads that it makes; -1 without the right to.
static int counter = -1;

static int open_counter(uint32_t tracepoint) {
  if (tracepoint == 0) return -1;
  struct perf_event_attr what = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof what, .config = tracepoint, .inherit = 1};
  return (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

// Up to now, this one included.
static int64_t calls(void) {
  int64_t count = 0;
  return counter >= 0 && read(counter, &count, sizeof count) == sizeof count ? count : 0;
}

int bench_open(bench_side *side, uint32_t index, uint64_t size, uint64_t count, uint64_t capacity, uint64_t area, uint64_t area_size) {
  // The rivals block for ever when their other side is gone, so the kernel has to end this process with the coordinator.
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) return -errno;
  // Sleeps of the waker should be as short as they say.
  prctl(PR_SET_TIMERSLACK, 1ul);
  void *shared = mmap(NULL, area, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, BENCH_MEMORY, 0);
  if (shared == MAP_FAILED) return -errno;
  bench_control *control = shared;
  // It may have died before we asked to die with it.
  uint32_t parent = (uint32_t)getppid();
  if (parent != control->coordinator && parent != control->launcher) return -ESRCH;
  *side = (bench_side){.control = control, .samples = (uint64_t *)((char *)shared + BENCH_PAGE), .size = size, .count = count,
                       .capacity = capacity, .area = area, .area_size = area_size, .index = index};
  control->reports[index].ticks_of_readings = cost_of_readings();
  counter = open_counter(control->tracepoint);
  return 0;
}

// Yields, because the other side may have to run on this very processor.
static void meet(bench_side *side, uint64_t yields) {
  bench_control *control = side->control;
  const struct timespec nap = {.tv_nsec = 50000};
  uint32_t expected = control->sides * ++side->meetings;
  __atomic_fetch_add(&control->arrived, 1, __ATOMIC_ACQ_REL);
  for (uint64_t i = 0; __atomic_load_n(&control->arrived, __ATOMIC_ACQUIRE) < expected; i++) {
    if (i < yields) {
      sched_yield();
    } else {
      nanosleep(&nap, NULL);
    }
  }
}

void bench_meet(bench_side *side) { meet(side, 100); }

void bench_leave(bench_side *side) {
  meet(side, 0);
  if (side->wakeups > 0) return;
  side->control->reports[side->index].processor_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - side->processor_ns;
}

void bench_start(bench_side *side) {
  bench_control *control = side->control;
  meet(side, UINT64_MAX);
  side->calls = calls();
  side->processor_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  control->reports[side->index].started = bench_ticks();
}

void bench_stop(bench_side *side) {
  bench_report *report = &side->control->reports[side->index];
  report->stopped = bench_ticks();
  // Of a waker only the wake-ups count, not its naps in between.
  if (side->wakeups == 0) report->processor_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - side->processor_ns;
  report->samples = side->recorded;
  report->calls = counter < 0 ? -1 : calls() - 1 - side->calls;
}

void bench_fail(bench_side *side, const char *what, int error) {
  bench_report *report = &side->control->reports[side->index];
  if (error != 0) {
    snprintf(report->failure, sizeof report->failure, "%s: %s", what, strerror(error));
  } else {
    snprintf(report->failure, sizeof report->failure, "%s", what);
  }
  exit(1);
}

void bench_own_file(const char *path) {
  cleanup_prepare();
  cleanup_own_file(path);
}

void *bench_map(bench_side *side, uint64_t offset, uint64_t length) {
  off_t position = (off_t)(side->area + offset);
  void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, BENCH_MEMORY, position);
  if (address == MAP_FAILED) bench_fail(side, "mmap", errno);
  return address;
}

void bench_announce_sleep(bench_side *side) {
  __atomic_store_n(&side->control->parking, side->control->parking + 1, __ATOMIC_RELEASE);
}

void bench_record_wakeup(bench_side *side) {
  bench_record(side, bench_ticks() - __atomic_load_n(&side->control->woken_at, __ATOMIC_ACQUIRE));
}

void bench_await_sleeper(bench_side *side) {
  const struct timespec nap = {.tv_nsec = 20000};
  uint64_t wanted = ++side->wakeups;
  bool announced;
  // Announced is not yet parked: one more nap leaves the sleeper the time, and the processor if it is the same.
  do {
    announced = __atomic_load_n(&side->control->parking, __ATOMIC_ACQUIRE) >= wanted;
    nanosleep(&nap, NULL);
  } while (!announced);
  side->processor_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  __atomic_store_n(&side->control->woken_at, bench_ticks(), __ATOMIC_RELEASE);
}

void bench_end_wakeup(bench_side *side) {
  side->control->reports[side->index].processor_ns += nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - side->processor_ns;
}

uint64_t bench_sum(const void *payload, uint64_t size) {
  const uint64_t *words = payload;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < size / 8; i++) sum += words[i];
  return sum;
}

void bench_fill(void *payload, uint64_t size, uint64_t word) {
  memset(payload, (int)word, size);
  memcpy(payload, &word, sizeof word);
}

double bench_nanoseconds_per_tick(void) {
  uint64_t ticks = bench_ticks(), time = nanoseconds(CLOCK_MONOTONIC), now;
  // 50 ms against two clock readings of 20 ns each: a millionth.
  do {
    now = nanoseconds(CLOCK_MONOTONIC);
  } while (now - time < 50000000);
  return (double)(now - time) / (double)(bench_ticks() - ticks);
}

