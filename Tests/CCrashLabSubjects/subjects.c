#define _GNU_SOURCE
#include "CCrashLabSubjects.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void *subject_map(const char *path) {
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, 4096) != 0) abort();
  void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) abort();
  return memory;
}

static void sleep_while(atomic_uint *word, unsigned value) { syscall(SYS_futex, word, FUTEX_WAIT, value, 0, 0, 0); }
static void wake(atomic_uint *word, int count) { syscall(SYS_futex, word, FUTEX_WAKE, count, 0, 0, 0); }

// MARK: the C library's

typedef struct {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  atomic_int waiting, is_true;
} guarded;

void subject_mutex_make(void *memory) {
  guarded *it = memory;
  memset(it, 0, sizeof *it);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&it->mutex, &attributes);
  pthread_condattr_t shared;
  pthread_condattr_init(&shared);
  pthread_condattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&it->condition, &shared);
}

static int owned(guarded *it, int status) { return status == EOWNERDEAD ? pthread_mutex_consistent(&it->mutex) : status; }
int subject_mutex_lock(void *memory) { return owned(memory, pthread_mutex_lock(memory)); }
int subject_mutex_try(void *memory) { return owned(memory, pthread_mutex_trylock(memory)); }
int subject_mutex_unlock(void *memory) { return pthread_mutex_unlock(memory); }

static void *wait_until_true(void *memory) {
  guarded *it = memory;
  subject_mutex_lock(it);
  it->waiting++;
  while (!it->is_true) owned(it, pthread_cond_wait(&it->condition, &it->mutex));
  pthread_mutex_unlock(&it->mutex);
  return NULL;
}

void subject_condition_wait(void *memory) { wait_until_true(memory); }

void subject_condition_rounds(void *memory, int rounds) {
  guarded *it = memory;
  for (int round = 0; round < rounds; round++) {
    it->waiting = it->is_true = 0;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, wait_until_true, it);
    while (it->waiting < 2) sched_yield();
    // Whoever has counted itself holds the mutex until it waits.
    subject_mutex_lock(it);
    it->is_true = 1;
    pthread_cond_broadcast(&it->condition);
    pthread_mutex_unlock(&it->mutex);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  }
}

// MARK: made wrong

// 0 free, 1 taken, 2 taken and somebody sleeps (Drepper, Futexes Are Tricky).
void subject_ownerless_lock(void *memory) {
  atomic_uint *word = memory;
  unsigned seen = 0;
  if (atomic_compare_exchange_strong(word, &seen, 1)) return;
  while (atomic_exchange(word, 2) != 0) sleep_while(word, 2);
}

void subject_ownerless_unlock(void *memory) {
  atomic_uint *word = memory;
  if (atomic_exchange(word, 0) == 2) wake(word, 1);
}

typedef struct {
  _Atomic uint64_t number;
  // Of two messages in turn, so that writing one leaves the one that is announced alone.
  volatile uint64_t words[2][4];
} messages;

void subject_publish(void *memory, uint64_t number, int wrong) {
  messages *it = memory;
  if (wrong) atomic_store(&it->number, number);
  for (int i = 0; i < 4; i++) it->words[number % 2][i] = number * 10 + (uint64_t)i;
  if (!wrong) atomic_store(&it->number, number);
}

uint64_t subject_published(const void *memory) { return atomic_load(&((messages *)memory)->number); }

int subject_is_whole(const void *memory) {
  messages *it = (messages *)memory;
  for (int i = 0; i < 4; i++) {
    if (it->words[it->number % 2][i] != it->number * 10 + (uint64_t)i) return 0;
  }
  return 1;
}

typedef struct {
  atomic_uint count, has_sleeper;
} counted;

void subject_count(void *memory, int wrong) {
  counted *it = memory;
  atomic_fetch_add(&it->count, 1);
  if (!atomic_load(&it->has_sleeper)) return;
  if (wrong) atomic_store(&it->has_sleeper, 0);
  wake(&it->count, INT_MAX);
}

void subject_await_count(void *memory, uint32_t number) {
  counted *it = memory;
  for (;;) {
    unsigned seen = atomic_load(&it->count);
    if (seen >= number) break;
    atomic_store(&it->has_sleeper, 1);
    if (atomic_load(&it->count) == seen) sleep_while(&it->count, seen);
  }
  atomic_store(&it->has_sleeper, 0);
}

void subject_count_late(void *memory, int milliseconds) {
  // On a word that nobody wakes.
  atomic_uint *nobodys = (atomic_uint *)memory + 512;
  struct timespec time = {0, milliseconds * 1000000L};
  syscall(SYS_futex, nobodys, FUTEX_WAIT, 0, &time, 0, 0);
  subject_count(memory, 0);
}

uint32_t subject_counted(const void *memory) { return atomic_load(&((counted *)memory)->count); }

void subject_await_count_blindly(void *memory, uint32_t number) {
  counted *it = memory;
  while (atomic_load(&it->count) < number) {
    atomic_store(&it->has_sleeper, 1);
    sleep_while(&it->count, atomic_load(&it->count));
  }
  atomic_store(&it->has_sleeper, 0);
}

void subject_add(void *memory, int wrong) {
  atomic_uint *word = memory;
  if (!wrong) {
    atomic_fetch_add(word, 1);
    return;
  }
  unsigned seen = atomic_load(word);
  atomic_store(word, seen + 1);
}

typedef struct {
  atomic_int holder;
  _Atomic uint64_t sum;
} lease;

int subject_lease_add(void *memory, int wrong) {
  lease *it = memory;
  int me = getpid(), seen = 0;
  for (int tries = 0; !atomic_compare_exchange_strong(&it->holder, &seen, me); tries++) {
    int is_dead = kill(seen, 0) != 0 && errno == ESRCH, is_late = tries == 20;
    if (is_dead || (is_late && wrong)) {
      if (atomic_compare_exchange_strong(&it->holder, &seen, me)) break;
    }
    if (is_late) return 0;
    seen = 0;
    usleep(100);
  }
  uint64_t old = atomic_load(&it->sum);
  atomic_store(&it->sum, old + 1);
  seen = me;
  atomic_compare_exchange_strong(&it->holder, &seen, 0);
  return 1;
}

uint64_t subject_lease_sum(const void *memory) { return atomic_load(&((lease *)memory)->sum); }

int subject_mutex_tells_death(void *memory) {
  guarded *it = memory;
  int status = pthread_mutex_trylock(&it->mutex), told = status == EOWNERDEAD;
  if (told) pthread_mutex_consistent(&it->mutex);
  if (told || status == 0) pthread_mutex_unlock(&it->mutex);
  return told;
}

char *subject_copy(const char *text) { return strdup(text); }

int subject_file_lock(const char *path, void *memory, int wrong) {
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return errno;
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int status = wrong ? flock(file, LOCK_EX) : fcntl(file, F_SETLKW, &whole);
  if (status == 0) atomic_fetch_add((atomic_uint *)memory, 1);
  int error = status == 0 ? 0 : errno;
  close(file);
  return error;
}

void subject_await_count_interrupted(void *memory, uint32_t number, int wrong) {
  counted *it = memory;
  for (;;) {
    unsigned seen = atomic_load(&it->count);
    if (seen >= number) return;
    atomic_store(&it->has_sleeper, 1);
    if (syscall(SYS_futex, &it->count, FUTEX_WAIT, seen, 0, 0, 0) != 0 && errno == EINTR && wrong) return;
  }
}

int subject_resize(const char *path, void *memory, int wrong) {
  subject_ownerless_lock(memory);
  int file = open(path, O_RDWR | O_CLOEXEC);
  int status = file >= 0 && ftruncate(file, 4096) == 0 ? 0 : -errno;
  if (file >= 0) close(file);
  if (status == 0 || !wrong) subject_ownerless_unlock(memory);
  return status;
}

void subject_go_far(void *memory, int counts) {
  _Atomic uint64_t *gone = memory;
  for (int i = 0; i < counts; i++) {
    atomic_store(gone, (uint64_t)i);
    if (i % 100 == 99) syscall(SYS_getppid);
  }
}

uint64_t subject_gone(const void *memory) { return atomic_load((_Atomic uint64_t *)memory); }
