// The C library's private heap: the floor of `ipc bench allocate`.
#include <stdlib.h>

#include "benchmark_allocate.h"

void bench_malloc_pair(bench_side *side) { ALLOCATE_PAIR_LOOP(side, void *, malloc, free); }
void bench_malloc_random(bench_side *side) { ALLOCATE_RANDOM_LOOP(side, void *, malloc, free); }
void bench_malloc_batch(bench_side *side) { ALLOCATE_BATCH_LOOP(side, void *, malloc, free); }
void bench_malloc_together(bench_side *side) { ALLOCATE_TOGETHER_LOOP(side, void *, malloc, free); }
void bench_pass_nothing(bench_side *side) { ALLOCATE_PASS_LOOP(side, i_, bench_use_number); }
