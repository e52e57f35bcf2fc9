// One side of a measurement: a process, what it was given by the coordinator, and what it reports.
#ifndef BENCHMARK_SIDE_H
#define BENCHMARK_SIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// Descriptors that every worker inherits.
enum {
  BENCH_MEMORY = 3,  // the memory that the two sides and the coordinator share
  BENCH_INPUT = 4,   // what comes from the other side, where the mechanism is a descriptor
  BENCH_OUTPUT = 5,  // what goes to it
};

// The shared memory: a page of control, the samples, the area in which the mechanism lives. A pair has two sides; a group has as many as
// the control block has reports.
enum { BENCH_PAGE = 4096, BENCH_SIDES = 2, BENCH_MOST_SIDES = 14, BENCH_READINGS = 1000 };

// What one side reports.
typedef struct bench_report {
  uint64_t started;       // ticks
  uint64_t stopped;
  uint64_t processor_ns;  // processor time between the two, user and system
  uint64_t samples;
  uint64_t ticks_of_readings;  // what BENCH_READINGS readings of the counter take: part of every sample, of no message
  int64_t calls;          // system calls between the two, of all threads; -1: not counted
  char failure[208];      // zero-terminated; empty: none
} bench_report;
_Static_assert(sizeof(bench_report) == 256, "a report is four lines");

typedef struct bench_control {
  uint32_t arrived;       // arrivals at meetings, of all sides together
  uint32_t sides;         // how many there are: first those on the near side, which receive or ask, then those on the far side
  uint32_t coordinator;   // its process id
  uint32_t near_sides;
  uint64_t sample_capacity;
  uint64_t token;         // random: for names that this measurement has to itself
  uint64_t message_size;  // bytes
  uint32_t launcher;      // the process id of what starts the sides in the coordinator's place; 0: nothing does
  int16_t processors[BENCH_MOST_SIDES];  // where the sides run, for a launcher; -1: anywhere
  uint32_t tracepoint;    // the kernel's number of the beginning of a system call, if they are to be counted; else 0
  uint8_t reserved1[52];
  uint64_t parking;       // wake-ups: which wait the sleeper is about to begin
  uint8_t reserved2[120];
  uint64_t woken_at;      // wake-ups: when the waker began, ticks
  uint8_t reserved3[120];
  bench_report reports[BENCH_MOST_SIDES];
} bench_control;
_Static_assert(__builtin_offsetof(bench_control, parking) == 128, "what is waited at has lines of its own");
_Static_assert(sizeof(bench_control) <= BENCH_PAGE, "the control block is a page");

typedef struct bench_side {
  bench_control *control;
  uint64_t *samples;
  uint64_t recorded;
  uint64_t size;          // bytes of a message
  uint64_t count;         // operations to do
  uint64_t capacity;      // bytes of a ring; a whole number of pages
  uint64_t area;          // offset of the mechanism's area in the shared memory
  uint64_t area_size;
  uint64_t processor_ns;  // when started
  int64_t calls;          // system calls before that
  uint32_t index;         // 0: the near side, which measures; in a pair, 1: the far side
  uint32_t wakeups;       // by the waker so far
  uint32_t meetings;      // so far
} bench_side;

// The processor's counter: the same on all processors, and cheaper to read than the clock.
static inline uint64_t bench_ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
  return ticks;
#else
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
#endif
}

static inline void bench_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#else
  __asm__ volatile("" ::: "memory");
#endif
}

// Writes down one sample. What does not fit is dropped: the coordinator asks for no more than fits.
static inline void bench_record(bench_side *side, uint64_t ticks) {
  if (side->recorded < side->control->sample_capacity) side->samples[side->recorded++] = ticks;
}

// Fills `side` from the inherited memory, ties the process's life to the coordinator's. Returns 0 or -errno.
int bench_open(bench_side *side, uint32_t index, uint64_t size, uint64_t count, uint64_t capacity, uint64_t area, uint64_t area_size);
// Waits until all sides are here; the measurement runs from then until `bench_stop`.
void bench_start(bench_side *side);
void bench_stop(bench_side *side);
// Waits until all sides are here, asleep if that takes longer: before the measurement, or after it.
void bench_meet(bench_side *side);
// Waits until all sides have stopped, so that none closes what others still use, and counts the processor time until then: a library's own
// threads may have been busy longer than the caller.
void bench_leave(bench_side *side);
static inline bool bench_is_near(const bench_side *side) { return side->index < side->control->near_sides; }
// Which of those on the same side this is.
static inline uint32_t bench_member(const bench_side *side) { return bench_is_near(side) ? side->index : side->index - side->control->near_sides; }
static inline uint32_t bench_far_sides(const bench_side *side) { return side->control->sides - side->control->near_sides; }
// Leaves the reason for the coordinator and ends the process.
void bench_fail(bench_side *side, const char *what, int error) __attribute__((noreturn));
// Removes the file at `path` when this process ends in any way but SIGKILL, if it is there then.
void bench_own_file(const char *path);
// Maps `length` bytes of the area, every page entered.
void *bench_map(bench_side *side, uint64_t offset, uint64_t length);

// Wake-ups. The sleeper announces its wait, waits in its own way, and records how long ago the waker began.
void bench_announce_sleep(bench_side *side);
void bench_record_wakeup(bench_side *side);
// The waker sleeps until the sleeper must be parked, notes the time, wakes in its own way, and says that it has.
void bench_await_sleeper(bench_side *side);
void bench_end_wakeup(bench_side *side);

// The message counts as used, or as changed: the compiler cannot leave out part of a copy.
static inline void bench_use(const void *message) { __asm__ volatile("" : : "r"(message) : "memory"); }
// What the reader of a large payload does with it: looks at every word. The result keeps the compiler from leaving it out.
uint64_t bench_sum(const void *payload, uint64_t size);
// What the writer of a payload in place does: writes every byte, as fast as there is a way to; `word` first.
void bench_fill(void *payload, uint64_t size, uint64_t word);

// The coordinator's: nanoseconds of a tick.
double bench_nanoseconds_per_tick(void);

#endif
