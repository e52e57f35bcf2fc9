#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CCrashLab.h"

static void (*child_body)(void *);
static void *run_child_body(void *context) {
  child_body(context);
  _exit(0);
}

int cl_fork(void (*body)(void *), void *context) {
  pid_t parent = getpid(), pid = fork();
  if (pid != 0) return pid == -1 ? -errno : pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(0);
  // The parent's streams are not the child's.
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 0);
  dup2(null, 1);
  close(null);
  pthread_t thread;
  child_body = body;
  if (pthread_create(&thread, NULL, run_child_body, context) != 0) _exit(70);
  // The thread ends the process, or ends itself in the middle of its work: then the process is to live on.
  for (;;) pause();
}

int cl_reap(int pid, int blocks, int *status) {
  int ending = 0, found;
  do found = waitpid(pid, &ending, blocks ? 0 : WNOHANG);
  while (found == -1 && errno == EINTR);
  if (found == pid) *status = WIFSIGNALED(ending) ? 128 + WTERMSIG(ending) : WEXITSTATUS(ending);
  return found;
}

void cl_kill(int pid, int signal) { kill(pid, signal); }
int cl_read(int pid, uint64_t address, void *into, size_t size) {
  struct iovec here = {into, size}, there = {(void *)address, size};
  return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -errno;
}

void cl_adopt(void) { prctl(PR_SET_CHILD_SUBREAPER, 1); }

void *cl_shared_memory(size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

void *cl_map_file(const char *path, size_t *size) {
  int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return NULL;
  struct stat status;
  void *memory = MAP_FAILED;
  if (fstat(file, &status) == 0) memory = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  *size = (size_t)status.st_size;
  close(file);
  return memory == MAP_FAILED ? NULL : memory;
}

int cl_remove_directory(const char *path) { return rmdir(path); }

void cl_prepare_process(void) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
}
