// Taking and giving back in the C library's and the kernel's several ways, shared between processes: alone, and by two that want the same.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <unistd.h>

#include "benchmark_locks.h"
#include "cleanup.h"

// What the two sides share.
typedef union shared {
  pthread_mutex_t mutex;
  sem_t semaphore;
  pthread_rwlock_t read_write;
  pthread_barrier_t barrier;
  int32_t semaphore_set;
} shared;
_Static_assert(sizeof(shared) <= BENCH_GUARDED && BENCH_GUARDED + sizeof(bench_guarded) <= BENCH_PAGE, "the area of a lock is a page");

// One side's.
typedef struct end {
  shared *shared;
  bench_side *side;
  int descriptor;
} end;

static void check(bench_side *side, const char *what, int error) {
  if (__builtin_expect(error != 0, 0)) bench_fail(side, what, error);
}

static void make_mutex(bench_side *side, pthread_mutex_t *mutex, int robust) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, robust);
  check(side, "pthread_mutex_init", pthread_mutex_init(mutex, &attributes));
}

// A System V semaphore outlives its users. No signal comes between making it and having noted it.
static int32_t make_set(bench_side *side) {
  cleanup_prepare();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int set = semget(IPC_PRIVATE, 1, 0600);
  int error = errno;
  if (set >= 0) cleanup_own_semaphores(set);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (set < 0) bench_fail(side, "semget", error);
  if (semctl(set, 0, SETVAL, 1) != 0) bench_fail(side, "semctl", errno);
  return set;
}

// The near side makes what has to be made, before the two meet. Semaphores begin with one unit.
static end open_end(bench_side *side, bench_lock kind) {
  end end = {.shared = bench_map(side, 0, BENCH_PAGE), .side = side, .descriptor = -1};
  if (kind == BENCH_LOCK_EVENTFD) {
    // Of this process alone: there is no case of two that share it.
    end.descriptor = eventfd(1, EFD_SEMAPHORE | EFD_CLOEXEC);
    if (end.descriptor < 0) bench_fail(side, "eventfd", errno);
  }
  if (kind == BENCH_LOCK_FLOCK || kind == BENCH_LOCK_RECORD || kind == BENCH_LOCK_OPEN_FILE) {
    // The inherited descriptor is of one opening for both sides; each needs its own.
    end.descriptor = open("/proc/self/fd/3", O_RDWR | O_CLOEXEC);
    if (end.descriptor < 0) bench_fail(side, "open", errno);
  }
  if (side->index != 0) return end;
  switch (kind) {
    case BENCH_LOCK_MUTEX: make_mutex(side, &end.shared->mutex, PTHREAD_MUTEX_STALLED); break;
    case BENCH_LOCK_ROBUST_MUTEX: make_mutex(side, &end.shared->mutex, PTHREAD_MUTEX_ROBUST); break;
    case BENCH_LOCK_POSIX_SEMAPHORE: check(side, "sem_init", sem_init(&end.shared->semaphore, 1, 1) == 0 ? 0 : errno); break;
    case BENCH_LOCK_SYSV_SEMAPHORE: end.shared->semaphore_set = make_set(side); break;
    case BENCH_LOCK_EVENTFD:
    case BENCH_LOCK_FLOCK:
    case BENCH_LOCK_RECORD:
    case BENCH_LOCK_OPEN_FILE: break;
    case BENCH_LOCK_READ:
    case BENCH_LOCK_WRITE: {
      pthread_rwlockattr_t attributes;
      pthread_rwlockattr_init(&attributes);
      pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
      check(side, "pthread_rwlock_init", pthread_rwlock_init(&end.shared->read_write, &attributes));
      break;
    }
  }
  return end;
}

static void operate(end *end, short change) {
  struct sembuf operation = {.sem_op = change};
  while (semop(end->shared->semaphore_set, &operation, 1) != 0) {
    if (errno != EINTR) bench_fail(end->side, "semop", errno);
  }
}

// The first byte of the file; both fcntl kinds differ in the command only.
static void lock_byte(end *end, int command, short type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  while (fcntl(end->descriptor, command, &lock) != 0) {
    if (errno != EINTR) bench_fail(end->side, "fcntl", errno);
  }
}

static void lock_file(end *end, int operation) {
  while (flock(end->descriptor, operation) != 0) {
    if (errno != EINTR) bench_fail(end->side, "flock", errno);
  }
}

LOCK_INLINE void take(end *end, bench_lock kind) {
  uint64_t one;
  switch (kind) {
    case BENCH_LOCK_MUTEX:
    case BENCH_LOCK_ROBUST_MUTEX: check(end->side, "pthread_mutex_lock", pthread_mutex_lock(&end->shared->mutex)); break;
    case BENCH_LOCK_POSIX_SEMAPHORE:
      while (sem_wait(&end->shared->semaphore) != 0) {
        if (errno != EINTR) bench_fail(end->side, "sem_wait", errno);
      }
      break;
    case BENCH_LOCK_SYSV_SEMAPHORE: operate(end, -1); break;
    case BENCH_LOCK_EVENTFD:
      if (read(end->descriptor, &one, 8) != 8) bench_fail(end->side, "read", errno);
      break;
    case BENCH_LOCK_READ: check(end->side, "pthread_rwlock_rdlock", pthread_rwlock_rdlock(&end->shared->read_write)); break;
    case BENCH_LOCK_WRITE: check(end->side, "pthread_rwlock_wrlock", pthread_rwlock_wrlock(&end->shared->read_write)); break;
    case BENCH_LOCK_FLOCK: lock_file(end, LOCK_EX); break;
    case BENCH_LOCK_RECORD: lock_byte(end, F_SETLKW, F_WRLCK); break;
    case BENCH_LOCK_OPEN_FILE: lock_byte(end, F_OFD_SETLKW, F_WRLCK); break;
  }
}

LOCK_INLINE void give_back(end *end, bench_lock kind) {
  uint64_t one = 1;
  switch (kind) {
    case BENCH_LOCK_MUTEX:
    case BENCH_LOCK_ROBUST_MUTEX: pthread_mutex_unlock(&end->shared->mutex); break;
    case BENCH_LOCK_POSIX_SEMAPHORE: sem_post(&end->shared->semaphore); break;
    case BENCH_LOCK_SYSV_SEMAPHORE: operate(end, 1); break;
    case BENCH_LOCK_EVENTFD:
      if (write(end->descriptor, &one, 8) != 8) bench_fail(end->side, "write", errno);
      break;
    case BENCH_LOCK_READ:
    case BENCH_LOCK_WRITE: pthread_rwlock_unlock(&end->shared->read_write); break;
    case BENCH_LOCK_FLOCK: lock_file(end, LOCK_UN); break;
    case BENCH_LOCK_RECORD: lock_byte(end, F_SETLK, F_UNLCK); break;
    case BENCH_LOCK_OPEN_FILE: lock_byte(end, F_OFD_SETLK, F_UNLCK); break;
  }
}

// Each loop is made anew for each kind, so that nothing is chosen within it.
#define FOR_EACH_LOCK(DO)        \
  DO(BENCH_LOCK_MUTEX)           \
  DO(BENCH_LOCK_ROBUST_MUTEX)    \
  DO(BENCH_LOCK_POSIX_SEMAPHORE) \
  DO(BENCH_LOCK_SYSV_SEMAPHORE)  \
  DO(BENCH_LOCK_EVENTFD)         \
  DO(BENCH_LOCK_READ)            \
  DO(BENCH_LOCK_WRITE)           \
  DO(BENCH_LOCK_FLOCK)           \
  DO(BENCH_LOCK_RECORD)          \
  DO(BENCH_LOCK_OPEN_FILE)

void bench_lock_pair(bench_side *side, bench_lock kind) {
  end end = open_end(side, kind);
#define PAIR(KIND) \
  case KIND: LOCK_PAIR_LOOP(side, take(&end, KIND), give_back(&end, KIND)); break;
  switch (kind) { FOR_EACH_LOCK(PAIR) }
  cleanup_own_semaphores(-1);
}

void bench_lock_contend(bench_side *side, bench_lock kind) {
  if (kind == BENCH_LOCK_EVENTFD || kind == BENCH_LOCK_READ) bench_fail(side, "there is no such case for two processes", 0);
  end end = open_end(side, kind);
  bench_guarded *guarded = (bench_guarded *)((uint8_t *)end.shared + BENCH_GUARDED);
#define CONTEND(KIND) \
  case KIND: LOCK_CONTEND_LOOP(side, guarded, take(&end, KIND), give_back(&end, KIND)); break;
  switch (kind) { FOR_EACH_LOCK(CONTEND) }
  cleanup_own_semaphores(-1);
}

void bench_barrier_meet(bench_side *side) {
  shared *shared = bench_map(side, 0, BENCH_PAGE);
  if (side->index == 0) {
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    check(side, "pthread_barrier_init", pthread_barrier_init(&shared->barrier, &attributes, BENCH_SIDES));
  }
  bench_start(side);
  uint64_t before = bench_ticks();
  for (uint64_t i = 0; i < side->count; i++) {
    int status = pthread_barrier_wait(&shared->barrier);
    if (status != 0 && status != PTHREAD_BARRIER_SERIAL_THREAD) bench_fail(side, "pthread_barrier_wait", status);
    if (side->index != 0) continue;
    uint64_t now = bench_ticks();
    bench_record(side, now - before);
    before = now;
  }
  bench_stop(side);
}
