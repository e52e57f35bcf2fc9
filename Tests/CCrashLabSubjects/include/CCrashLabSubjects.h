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

// As subject_await_count, but wrong: it does not look again after it has set the flag.
void subject_await_count_blindly(void *memory, uint32_t number);

// Adds one to a number. Wrong: in two steps.
void subject_add(void *memory, int wrong);

#endif
