// The private heap of mimalloc for `ipc bench allocate`. Started by ipc with: WHAT-SIZE SIDE TURNS AREA-OFFSET, and the shared memory as descriptor 3.
#include <mimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "benchmark_allocate.h"

int main(int count, char **arguments) {
  if (count != 5) {
    fprintf(stderr, "mimalloc-allocate is started by `ipc bench allocate`, not by hand\n");
    return 64;
  }
  static bench_side side;
  const char *dash = strrchr(arguments[1], '-');
  uint64_t size = dash ? strtoull(dash + 1, NULL, 10) : 0;
  int status = bench_open(&side, (uint32_t)strtoul(arguments[2], NULL, 10), size, strtoull(arguments[3], NULL, 10), 0,
                          strtoull(arguments[4], NULL, 10), BENCH_PAGE);
  if (status != 0) {
    fprintf(stderr, "mimalloc-allocate: the memory of the measurement: %s\n", strerror(-status));
    return 64;
  }
  if (strncmp(arguments[1], "pair-", 5) == 0) ALLOCATE_PAIR_LOOP(&side, void *, mi_malloc, mi_free);
  else if (strncmp(arguments[1], "random-", 7) == 0) ALLOCATE_RANDOM_LOOP(&side, void *, mi_malloc, mi_free);
  else if (strncmp(arguments[1], "batch-", 6) == 0) ALLOCATE_BATCH_LOOP(&side, void *, mi_malloc, mi_free);
  else if (strncmp(arguments[1], "together-", 9) == 0) ALLOCATE_TOGETHER_LOOP(&side, void *, mi_malloc, mi_free);
  else bench_fail(&side, "mimalloc-allocate knows no such case; build it anew with Benchmarks/Peers/build", 0);
  return 0;
}
