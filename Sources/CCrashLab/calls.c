#define _GNU_SOURCE
#include "calls.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)

// The filter lets it through, for it is made here.
__asm__(".text\n.globl cl_call\n.hidden cl_call\ncl_call:\n"
        " mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n mov %r8, %r10\n mov %r9, %r8\n mov 8(%rsp), %r9\n"
        " syscall\n"
        ".local cl_call_made\ncl_call_made: ret\n");
extern char cl_call_made[] __attribute__((visibility("hidden")));

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ALLOW_CALL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), ALLOW

int cl_trap_calls(void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  // A signal may come in the middle of a call that is made in the handler, as it would in the call itself.
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (sigaction(SIGSYS, &action, 0) != 0) return -errno;
  uint64_t made = (uint64_t)(uintptr_t)cl_call_made;
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)made, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(made >> 32), 0, 1),
      ALLOW,
      LOAD(nr),
      // Those whose caller cannot take a trap: its signals are blocked, or it is not on its own stack.
      ALLOW_CALL(SYS_rt_sigreturn), ALLOW_CALL(SYS_rt_sigprocmask), ALLOW_CALL(SYS_clone), ALLOW_CALL(SYS_clone3), ALLOW_CALL(SYS_fork),
      ALLOW_CALL(SYS_vfork), ALLOW_CALL(SYS_execve), ALLOW_CALL(SYS_exit), ALLOW_CALL(SYS_exit_group), ALLOW_CALL(SYS_rseq),
      ALLOW_CALL(SYS_set_robust_list), ALLOW_CALL(SYS_kill), ALLOW_CALL(SYS_tgkill),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : -errno;
}

#else

int cl_trap_calls(void (*handler)(int, siginfo_t *, void *)) {
  (void)handler;
  return -ENOSYS;
}

#endif
