#include "CTestSystem.h"

#include <string.h>
// The kernel's table for the processors without one of their own, aarch64 among them.
#include <asm-generic/unistd.h>

#include "system_calls.h"

#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif
// Those whose name depends on how many bits an offset has.
#ifndef __NR_mmap
#define __NR_mmap __NR3264_mmap
#endif
#ifndef __NR_fcntl
#define __NR_fcntl __NR3264_fcntl
#endif

long test_generic_system_call_number(const char *name) {
#define X(call) if (strcmp(name, #call) == 0) return __NR_##call;
  SYSTEM_CALLS
#undef X
  return -1;
}
