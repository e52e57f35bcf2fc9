// Things that are known to go wrong when a process is killed in them, or that are made wrong on purpose: what the crash lab must find.
#ifndef C_CRASH_LAB_SUBJECTS_H
#define C_CRASH_LAB_SUBJECTS_H

#include <stdint.h>

// A page of the file at `path`, shared; made if it is not there.
void *subject_map(const char *path);

// The C library's mutex and condition variable, shared between processes; the mutex is robust.
void subject_mutex_make(void *memory);
// Takes what a dead owner left. 0 or an errno.
int subject_mutex_lock(void *memory);
int subject_mutex_try(void *memory);
int subject_mutex_unlock(void *memory);
// Waits for ever: nobody makes the condition true.
void subject_condition_wait(void *memory);
// Two threads wait, a broadcast wakes them; so many times.
void subject_condition_rounds(void *memory, int rounds);

// A lock that does not say whose it is.
void subject_ownerless_lock(void *memory);
void subject_ownerless_unlock(void *memory);

// A message of four words and its number, which says that it is there. Wrong: the number is written first.
void subject_publish(void *memory, uint64_t number, int wrong);
uint64_t subject_published(const void *memory);
int subject_is_whole(const void *memory);

// A count, and sleepers that wait until it has reached a number. They set a flag, so that whoever counts need not wake for nothing. Wrong: the waker clears the flag.
void subject_count(void *memory, int wrong);
void subject_await_count(void *memory, uint32_t number);
uint32_t subject_counted(const void *memory);

// Sleeps for less than a thousand milliseconds where nobody wakes it; then counts.
void subject_count_late(void *memory, int milliseconds);

// As subject_await_count, but wrong: it does not look again after it has set the flag.
void subject_await_count_blindly(void *memory, uint32_t number);

// Counts in thousands of instructions, with a system call after each hundred of the count.
void subject_go_far(void *memory, int counts);
uint64_t subject_gone(const void *memory);

// Adds one to a number. Wrong: in two steps.
void subject_add(void *memory, int wrong);

// A lock with the holder's process id, and a number that is added to under it. Waits for a few milliseconds only; whether it was added. Who is dead loses the lock. Wrong: so does who is slow.
int subject_lease_add(void *memory, int wrong);
uint64_t subject_lease_sum(const void *memory);

// Whether the C library tells that the mutex's holder has died; makes it usable then.
int subject_mutex_tells_death(void *memory);

// A copy that is never given back.
char *subject_copy(const char *text);

// A lock of a file, taken and given back; `memory` is changed meanwhile. Wrong: by flock(2), which a forked child holds too.
int subject_file_lock(const char *path, void *memory, int wrong);

// Waits until the count has reached the number. Wrong: takes being interrupted for being woken.
void subject_await_count_interrupted(void *memory, uint32_t number, int wrong);

// Under a lock that does not say whose it is: gives the file its size. 0 or a negative errno. Wrong: on failure the lock stays taken.
int subject_resize(const char *path, void *memory, int wrong);

#endif
