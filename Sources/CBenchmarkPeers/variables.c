// A place for one value between processes, of the C library's mutex and condition variables: put waits until it is empty, take until it is full.
#define _GNU_SOURCE
#include <pthread.h>

#include "benchmark_locks.h"

typedef struct variable {
  pthread_mutex_t mutex;
  pthread_cond_t filled, emptied;
  uint64_t value;
  uint32_t full;
} variable;

// One for each direction.
typedef struct shared {
  variable variables[BENCH_SIDES];
} shared;
_Static_assert(sizeof(shared) <= BENCH_PAGE, "the area is a page");

static void check(bench_side *side, const char *what, int error) {
  if (__builtin_expect(error != 0, 0)) bench_fail(side, what, error);
}

// The near side makes them, before the two meet.
static shared *open_shared(bench_side *side) {
  shared *shared = bench_map(side, 0, BENCH_PAGE);
  if (side->index != 0) return shared;
  pthread_mutexattr_t mutex;
  pthread_mutexattr_init(&mutex);
  pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
  pthread_condattr_t condition;
  pthread_condattr_init(&condition);
  pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
  for (int i = 0; i < BENCH_SIDES; i++) {
    variable *variable = &shared->variables[i];
    check(side, "pthread_mutex_init", pthread_mutex_init(&variable->mutex, &mutex));
    check(side, "pthread_cond_init", pthread_cond_init(&variable->filled, &condition));
    check(side, "pthread_cond_init", pthread_cond_init(&variable->emptied, &condition));
  }
  return shared;
}

static void put(bench_side *side, variable *variable, uint64_t value) {
  check(side, "pthread_mutex_lock", pthread_mutex_lock(&variable->mutex));
  while (variable->full) check(side, "pthread_cond_wait", pthread_cond_wait(&variable->emptied, &variable->mutex));
  variable->value = value;
  variable->full = 1;
  pthread_cond_signal(&variable->filled);
  pthread_mutex_unlock(&variable->mutex);
}

static uint64_t take(bench_side *side, variable *variable) {
  check(side, "pthread_mutex_lock", pthread_mutex_lock(&variable->mutex));
  while (!variable->full) check(side, "pthread_cond_wait", pthread_cond_wait(&variable->filled, &variable->mutex));
  uint64_t value = variable->value;
  variable->full = 0;
  pthread_cond_signal(&variable->emptied);
  pthread_mutex_unlock(&variable->mutex);
  return value;
}

void bench_variable_pair(bench_side *side) {
  variable *variable = &open_shared(side)->variables[0];
  uint64_t number = 0;
  LOCK_PAIR_LOOP(side, put(side, variable, ++number), if (take(side, variable) != number) bench_fail(side, "another value was taken", 0));
}

void bench_variable_ping(bench_side *side) {
  shared *shared = open_shared(side);
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < side->count; i++) {
    put(side, &shared->variables[0], i);
    if (take(side, &shared->variables[1]) != i) bench_fail(side, "another value was taken", 0);
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
}

void bench_variable_pong(bench_side *side) {
  shared *shared = open_shared(side);
  bench_start(side);
  for (uint64_t i = 0; i < side->count; i++) put(side, &shared->variables[1], take(side, &shared->variables[0]));
  bench_stop(side);
}
