#define _GNU_SOURCE
#include "cleanup.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

enum { MOST_FILES = 2, MOST_QUEUES = 2, LONGEST_PATH = 512 };
static int owned_set = -1;
static int owned_queues[MOST_QUEUES] = {-1, -1};
static char owned_files[MOST_FILES][LONGEST_PATH];

// Only calls that a signal handler may make.
static void remove_all(void) {
  if (owned_set >= 0) semctl(owned_set, 0, IPC_RMID);
  owned_set = -1;
  for (int i = 0; i < MOST_QUEUES; i++) {
    if (owned_queues[i] >= 0) msgctl(owned_queues[i], IPC_RMID, NULL);
    owned_queues[i] = -1;
  }
  for (int i = 0; i < MOST_FILES; i++) {
    if (owned_files[i][0] != 0) unlink(owned_files[i]);
  }
}

static void remove_all_and_end(int signal) {
  remove_all();
  _exit(128 + signal);
}

void cleanup_prepare(void) {
  static bool prepared = false;
  if (prepared) return;
  prepared = true;
  const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGALRM, SIGTERM};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) signal(ends[i], remove_all_and_end);
  atexit(remove_all);
}

void cleanup_own_semaphores(int set) {
  if (owned_set >= 0) semctl(owned_set, 0, IPC_RMID);
  owned_set = set;
}

void cleanup_own_file(const char *path) {
  for (int i = 0; i < MOST_FILES; i++) {
    if (owned_files[i][0] != 0) continue;
    strncpy(owned_files[i], path, LONGEST_PATH - 1);
    return;
  }
  abort();
}

void cleanup_own_queue(int index, int queue) { owned_queues[index] = queue; }
