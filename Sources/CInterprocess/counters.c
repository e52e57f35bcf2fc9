#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static long result(long value) { return value == -1 ? -(long)errno : value; }

long ipc_eventfd(unsigned initial, int semaphore) { return result(eventfd(initial, EFD_CLOEXEC | (semaphore ? EFD_SEMAPHORE : 0))); }

const int ipc_clock_monotonic = CLOCK_MONOTONIC, ipc_clock_boot = CLOCK_BOOTTIME, ipc_clock_real = CLOCK_REALTIME;
long ipc_timer_create(int clock) { return result(timerfd_create(clock, TFD_CLOEXEC)); }
long ipc_timer_set(int timer, int absolute, int cancelled_by_clock, struct timespec first, struct timespec interval) {
  struct itimerspec times = {.it_value = first, .it_interval = interval};
  int flags = (absolute ? TFD_TIMER_ABSTIME : 0) | (cancelled_by_clock ? TFD_TIMER_CANCEL_ON_SET : 0);
  return result(timerfd_settime(timer, flags, &times, NULL));
}
long ipc_timer_get(int timer, struct timespec *remaining, struct timespec *interval) {
  struct itimerspec times = {0};
  long done = result(timerfd_gettime(timer, &times));
  *remaining = times.it_value;
  *interval = times.it_interval;
  return done;
}

#define SAME(ours, theirs) \
  _Static_assert(offsetof(ipc_signal_information, ours) == offsetof(struct signalfd_siginfo, theirs), "struct signalfd_siginfo")
_Static_assert(sizeof(ipc_signal_information) == sizeof(struct signalfd_siginfo), "struct signalfd_siginfo");
SAME(signal, ssi_signo);
SAME(code, ssi_code);
SAME(pid, ssi_pid);
SAME(uid, ssi_uid);
SAME(status, ssi_status);
SAME(value, ssi_int);
SAME(address, ssi_addr);
long ipc_signal_add(sigset_t *set, int signal) { return result(sigaddset(set, signal)); }
long ipc_signalfd(int descriptor, const sigset_t *signals) { return result(signalfd(descriptor, signals, SFD_CLOEXEC)); }
long ipc_signal_queue(int pid, int signal, int value) { return result(sigqueue(pid, signal, (union sigval){.sival_int = value})); }
int ipc_first_real_time_signal(void) { return SIGRTMIN; }
int ipc_last_real_time_signal(void) { return SIGRTMAX; }
const int ipc_signal_from_queue = SI_QUEUE;
