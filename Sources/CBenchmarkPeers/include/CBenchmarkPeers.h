// The floors and the rivals that the benchmarks measure beside the library, and the measuring itself.
#ifndef CBENCHMARKPEERS_H
#define CBENCHMARKPEERS_H

#include "benchmark_side.h"
#include "benchmark_peers.h"
#include "benchmark_allocate.h"
#include "benchmark_locks.h"
#include "benchmark_messages.h"

#endif
