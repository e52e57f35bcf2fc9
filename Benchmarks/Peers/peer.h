// What the rivals of `ipc bench messaging` have in common: each is a program that plays one side of a case like a worker of ipc's own.
// Started by ipc with: PATTERN SIDE TURNS AREA-OFFSET, and the shared memory as descriptor 3. A rival defines `play`.
#ifndef PEER_H
#define PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
#define _Static_assert static_assert
extern "C" {
#endif
#include "benchmark_messages.h"
#ifdef __cplusplus
}
#endif

// Opens this process's end, hands it to `bench_play_messages`, closes it.
static void play(bench_side *side, bench_pattern pattern);

static inline bool peer_pattern(const char *name, bench_pattern *pattern) {
  static const struct {
    const char *name;
    bench_pattern pattern;
  } all[] = {{"many-to-one", BENCH_MANY_TO_ONE},           {"many-to-many", BENCH_MANY_TO_MANY},
             {"topic", BENCH_TOPIC},                       {"request-polling", BENCH_REQUEST_POLLING},
             {"request-blocking", BENCH_REQUEST_BLOCKING}, {"wakeup", BENCH_MESSAGE_WAKEUP}};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    if (strcmp(name, all[i].name) == 0) return *pattern = all[i].pattern, true;
  }
  return false;
}

static inline bool peer_is_request(bench_pattern pattern) {
  return pattern == BENCH_REQUEST_POLLING || pattern == BENCH_REQUEST_BLOCKING;
}

// A name that nobody else has: this measurement's, and a number in it.
static inline void peer_name(char *name, unsigned long size, const char *format, bench_side *side, unsigned number) {
  snprintf(name, size, format, (unsigned long long)side->control->token, number);
}

static inline int peer_main(int count, char **arguments) {
  bench_pattern pattern;
  if (count != 5 || !peer_pattern(arguments[1], &pattern)) {
    fprintf(stderr, "%s is started by `ipc bench messaging`, not by hand\n", arguments[0]);
    return 64;
  }
  static bench_side side;
  unsigned index = (unsigned)strtoul(arguments[2], NULL, 10);
  int status = bench_open(&side, index, 0, strtoull(arguments[3], NULL, 10), 0, strtoull(arguments[4], NULL, 10), BENCH_PAGE);
  if (status != 0) {
    fprintf(stderr, "%s: the memory of the measurement: %s\n", arguments[0], strerror(-status));
    return 64;
  }
  play(&side, pattern);
  return 0;
}

#endif
