// "Go on", said by one process to another in the kernel's several ways: as a ping-pong (a switch), and to a sleeper (a wake-up).
#define _GNU_SOURCE
#include "benchmark_peers.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

// What the two sides share; each waits at its own index.
typedef struct shared {
  uint32_t words[BENCH_SIDES][32];
  sem_t semaphores[BENCH_SIDES];
  pthread_mutex_t mutex;
  pthread_cond_t conditions[BENCH_SIDES];
  uint32_t pending[BENCH_SIDES];
  int32_t semaphore_set;
  int32_t pids[BENCH_SIDES];
} shared;
_Static_assert(sizeof(shared) <= BENCH_PAGE, "the area of a signal is a page");

// A System V semaphore outlives its users. No signal comes between making it and having noted it.
static int32_t make_set(bench_side *side) {
  cleanup_prepare();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int set = semget(IPC_PRIVATE, BENCH_SIDES, 0600);
  int error = errno;
  if (set >= 0) cleanup_own_semaphores(set);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (set < 0) bench_fail(side, "semget", error);
  for (int i = 0; i < BENCH_SIDES; i++) {
    if (semctl(set, i, SETVAL, 0) != 0) bench_fail(side, "semctl", errno);
  }
  return set;
}

static void check(bench_side *side, const char *what, int error) {
  if (error != 0) bench_fail(side, what, error);
}

static void make_mutex(bench_side *side, shared *shared, int robust) {
  pthread_mutexattr_t mutex;
  pthread_mutexattr_init(&mutex);
  pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&mutex, robust);
  check(side, "pthread_mutex_init", pthread_mutex_init(&shared->mutex, &mutex));
  pthread_condattr_t condition;
  pthread_condattr_init(&condition);
  pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
  for (int i = 0; i < BENCH_SIDES; i++) check(side, "pthread_cond_init", pthread_cond_init(&shared->conditions[i], &condition));
}

static int32_t exchange_pids(bench_side *side, shared *shared) {
  shared->pids[side->index] = getpid();
  bench_meet(side);
  return shared->pids[side->index ^ 1];
}

int32_t bench_exchange_pids(bench_side *side) { return exchange_pids(side, bench_map(side, 0, BENCH_PAGE)); }

int32_t bench_open_semaphores(bench_side *side) {
  shared *shared = bench_map(side, 0, BENCH_PAGE);
  if (side->index == 0) shared->semaphore_set = make_set(side);
  bench_meet(side);
  return shared->semaphore_set;
}

// By which this side's signals come.
static int signals = -1;

// Returns when both have it, and know each other.
static void open_signals(bench_side *side, shared *shared) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  signals = signalfd(-1, &set, SFD_CLOEXEC);
  if (signals < 0) bench_fail(side, "signalfd", errno);
  exchange_pids(side, shared);
}

// The near side makes what has to be made, before the two meet.
static shared *open_shared(bench_side *side, bench_signal signal) {
  shared *shared = bench_map(side, 0, BENCH_PAGE);
  if (signal == BENCH_SIGNAL) open_signals(side, shared);
  if (side->index != 0) return shared;
  switch (signal) {
    case BENCH_POSIX_SEMAPHORE:
      for (int i = 0; i < BENCH_SIDES; i++) check(side, "sem_init", sem_init(&shared->semaphores[i], 1, 0) == 0 ? 0 : errno);
      break;
    case BENCH_SYSV_SEMAPHORE: shared->semaphore_set = make_set(side); break;
    case BENCH_PTHREAD_MUTEX: make_mutex(side, shared, PTHREAD_MUTEX_ROBUST); break;
    case BENCH_PTHREAD_CONDITION: make_mutex(side, shared, PTHREAD_MUTEX_STALLED); break;
    case BENCH_BYTE:
    case BENCH_EVENTFD:
    case BENCH_SIGNAL:
    case BENCH_FUTEX: break;
  }
  return shared;
}

static void operate(bench_side *side, int set, unsigned short which, short change) {
  struct sembuf operation = {.sem_num = which, .sem_op = change};
  while (semop(set, &operation, 1) != 0) {
    if (errno != EINTR) bench_fail(side, "semop", errno);
  }
}

static void wake(bench_side *side, shared *shared, bench_signal signal) {
  uint32_t other = side->index ^ 1;
  uint64_t one = 1;
  switch (signal) {
    case BENCH_BYTE:
      if (write(BENCH_OUTPUT, &one, 1) != 1) bench_fail(side, "write", errno);
      break;
    case BENCH_EVENTFD:
      if (write(BENCH_OUTPUT, &one, 8) != 8) bench_fail(side, "write", errno);
      break;
    case BENCH_POSIX_SEMAPHORE: sem_post(&shared->semaphores[other]); break;
    case BENCH_SYSV_SEMAPHORE: operate(side, shared->semaphore_set, (unsigned short)other, 1); break;
    case BENCH_SIGNAL:
      if (sigqueue(shared->pids[other], SIGRTMIN, (union sigval){.sival_int = 1}) != 0) bench_fail(side, "sigqueue", errno);
      break;
    case BENCH_FUTEX:
      __atomic_store_n(shared->words[other], 1, __ATOMIC_RELEASE);
      syscall(SYS_futex, shared->words[other], FUTEX_WAKE, 1, NULL, NULL, 0);
      break;
    case BENCH_PTHREAD_MUTEX:
    case BENCH_PTHREAD_CONDITION:
      check(side, "pthread_mutex_lock", pthread_mutex_lock(&shared->mutex));
      shared->pending[other] = 1;
      pthread_cond_signal(&shared->conditions[other]);
      pthread_mutex_unlock(&shared->mutex);
      break;
  }
}

static void await(bench_side *side, shared *shared, bench_signal signal) {
  uint32_t mine = side->index;
  uint64_t found;
  struct signalfd_siginfo information;
  switch (signal) {
    case BENCH_BYTE:
      if (read(BENCH_INPUT, &found, 1) != 1) bench_fail(side, "read", errno);
      break;
    case BENCH_EVENTFD:
      if (read(BENCH_INPUT, &found, 8) != 8) bench_fail(side, "read", errno);
      break;
    case BENCH_POSIX_SEMAPHORE:
      while (sem_wait(&shared->semaphores[mine]) != 0) {
        if (errno != EINTR) bench_fail(side, "sem_wait", errno);
      }
      break;
    case BENCH_SYSV_SEMAPHORE: operate(side, shared->semaphore_set, (unsigned short)mine, -1); break;
    case BENCH_SIGNAL:
      if (read(signals, &information, sizeof information) != sizeof information) bench_fail(side, "read", errno);
      break;
    case BENCH_FUTEX:
      while (__atomic_exchange_n(shared->words[mine], 0, __ATOMIC_ACQUIRE) == 0) {
        syscall(SYS_futex, shared->words[mine], FUTEX_WAIT, 0, NULL, NULL, 0);
      }
      break;
    case BENCH_PTHREAD_MUTEX:
    case BENCH_PTHREAD_CONDITION:
      check(side, "pthread_mutex_lock", pthread_mutex_lock(&shared->mutex));
      while (shared->pending[mine] == 0) {
        check(side, "pthread_cond_wait", pthread_cond_wait(&shared->conditions[mine], &shared->mutex));
      }
      shared->pending[mine] = 0;
      pthread_mutex_unlock(&shared->mutex);
      break;
  }
}

void bench_signal_ping(bench_side *side, bench_signal signal) {
  shared *shared = open_shared(side, signal);
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < side->count; i++) {
    wake(side, shared, signal);
    await(side, shared, signal);
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
  cleanup_own_semaphores(-1);
}

void bench_signal_pong(bench_side *side, bench_signal signal) {
  shared *shared = open_shared(side, signal);
  bench_start(side);
  for (uint64_t i = 0; i < side->count; i++) {
    await(side, shared, signal);
    wake(side, shared, signal);
  }
  bench_stop(side);
}

void bench_signal_sleep(bench_side *side, bench_signal signal) {
  shared *shared = open_shared(side, signal);
  bench_start(side);
  for (uint64_t i = 0; i < side->count; i++) {
    bench_announce_sleep(side);
    await(side, shared, signal);
    bench_record_wakeup(side);
  }
  bench_stop(side);
  cleanup_own_semaphores(-1);
}

void bench_signal_wake(bench_side *side, bench_signal signal) {
  shared *shared = open_shared(side, signal);
  bench_start(side);
  for (uint64_t i = 0; i < side->count; i++) {
    bench_await_sleeper(side);
    wake(side, shared, signal);
    bench_end_wakeup(side);
  }
  bench_stop(side);
}
