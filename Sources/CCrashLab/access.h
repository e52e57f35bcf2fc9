#ifndef C_CRASH_LAB_ACCESS_H
#define C_CRASH_LAB_ACCESS_H

#include <stdint.h>
#include <ucontext.h>

// Whether the instruction that is next reads or writes memory of one of the ranges, as far as its operands say; or is a system call.
int cl_next_is_shared(const greg_t *registers, const uint64_t (*ranges)[2], int count);

#endif
