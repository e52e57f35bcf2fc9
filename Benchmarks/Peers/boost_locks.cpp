// The cases of Boost.Interprocess for `ipc bench locks`: a program that plays the sides like a worker of ipc's own, with the same loops.
// Started by ipc with: WHAT SIDE TURNS AREA-OFFSET, and the shared memory as descriptor 3.
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#define _Static_assert static_assert
extern "C" {
#include "benchmark_locks.h"
}

namespace bip = boost::interprocess;

// What is taken and how; made by the near side, before the two meet.
struct mutex {
  bip::interprocess_mutex lock;
  void take() { lock.lock(); }
  void give_back() { lock.unlock(); }
};
struct semaphore {
  bip::interprocess_semaphore lock{1};
  void take() { lock.wait(); }
  void give_back() { lock.post(); }
};
struct reading {
  bip::interprocess_sharable_mutex lock;
  void take() { lock.lock_sharable(); }
  void give_back() { lock.unlock_sharable(); }
};
struct writing {
  bip::interprocess_sharable_mutex lock;
  void take() { lock.lock(); }
  void give_back() { lock.unlock(); }
};

template <class Lock>
static int run(bench_side *side, bool contended) {
  static_assert(sizeof(Lock) <= BENCH_GUARDED, "the area of a lock is a page");
  char *area = static_cast<char *>(bench_map(side, 0, BENCH_PAGE));
  Lock *lock = reinterpret_cast<Lock *>(area);
  if (side->index == 0) new (lock) Lock;
  if (contended) {
    bench_guarded *guarded = reinterpret_cast<bench_guarded *>(area + BENCH_GUARDED);
    LOCK_CONTEND_LOOP(side, guarded, lock->take(), lock->give_back());
  } else {
    LOCK_PAIR_LOOP(side, lock->take(), lock->give_back());
  }
  return 0;
}

int main(int count, char **arguments) {
  if (count != 5) {
    std::fprintf(stderr, "boost-locks is started by `ipc bench locks`, not by hand\n");
    return 64;
  }
  std::string what = arguments[1];
  auto number = [&](int index) { return std::strtoull(arguments[index], nullptr, 10); };
  static bench_side side;
  int status = bench_open(&side, static_cast<uint32_t>(number(2)), 0, number(3), 0, number(4), BENCH_PAGE);
  if (status != 0) {
    std::fprintf(stderr, "boost-locks: the memory of the measurement: %s\n", std::strerror(-status));
    return 64;
  }
  if (what == "boost-mutex-pair") return run<mutex>(&side, false);
  if (what == "boost-mutex-contended") return run<mutex>(&side, true);
  if (what == "boost-semaphore-pair") return run<semaphore>(&side, false);
  if (what == "boost-semaphore-contended") return run<semaphore>(&side, true);
  if (what == "boost-sharable-mutex-read-pair") return run<reading>(&side, false);
  if (what == "boost-sharable-mutex-write-pair") return run<writing>(&side, false);
  if (what == "boost-sharable-mutex-write-contended") return run<writing>(&side, true);
  bench_fail(&side, "boost-locks knows no such case; build it anew with Benchmarks/Peers/build", 0);
}
