// Descriptors from which a number is read, or a signal: eventfd, timerfd, signalfd. Each call returns its result, or a negative errno.
#ifndef INTERPROCESS_COUNTERS_H
#define INTERPROCESS_COUNTERS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

long ipc_eventfd(unsigned initial, int semaphore);

extern const int ipc_clock_monotonic, ipc_clock_boot, ipc_clock_real;
long ipc_timer_create(int clock);
long ipc_timer_set(int timer, int absolute, int cancelled_by_clock, struct timespec first, struct timespec interval);
long ipc_timer_get(int timer, struct timespec *remaining, struct timespec *interval);

// What is read of one signal, as the kernel lays it out (struct signalfd_siginfo).
typedef struct ipc_signal_information {
  uint32_t signal;
  int32_t error, code;
  uint32_t pid, uid;
  int32_t descriptor;
  uint32_t timer, band, overrun, trap;
  int32_t status, value;
  uint64_t pointer, user_time, system_time, address;
  uint8_t reserved[48];
} ipc_signal_information;
long ipc_signal_add(sigset_t *set, int signal);
// -1: a new descriptor.
long ipc_signalfd(int descriptor, const sigset_t *signals);
// To the process, with a value.
long ipc_signal_queue(int pid, int signal, int value);
int ipc_first_real_time_signal(void);
int ipc_last_real_time_signal(void);
extern const int ipc_signal_from_queue;

#endif
