// The shared heap of Boost.Interprocess (managed_shared_memory) for `ipc bench allocate`. Started by ipc with: WHAT-SIZE SIDE TURNS AREA-OFFSET, and the shared memory as descriptor 3.
#include <boost/interprocess/managed_shared_memory.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#define _Static_assert static_assert
extern "C" {
#include "benchmark_allocate.h"
}

namespace bip = boost::interprocess;

int main(int count, char **arguments) {
  if (count != 5) {
    std::fprintf(stderr, "boost-allocate is started by `ipc bench allocate`, not by hand\n");
    return 64;
  }
  std::string what = arguments[1];
  auto number = [&](int index) { return std::strtoull(arguments[index], nullptr, 10); };
  static bench_side side;
  uint64_t size = std::strtoull(what.substr(what.rfind('-') + 1).c_str(), nullptr, 10);
  int status = bench_open(&side, static_cast<uint32_t>(number(2)), size, number(3), 0, number(4), BENCH_PAGE);
  if (status != 0) {
    std::fprintf(stderr, "boost-allocate: the memory of the measurement: %s\n", std::strerror(-status));
    return 64;
  }
  std::string name = "bench-" + std::to_string(side.control->token) + "-heap";
  if (side.index == 0) bench_own_file(("/dev/shm/" + name).c_str());
  bip::managed_shared_memory heap(bip::open_or_create, name.c_str(), 64 << 20);
  auto allocate = [&](uint64_t bytes) { return heap.allocate(bytes); };
  auto release = [&](void *block) { heap.deallocate(block); };
  if (what.rfind("pair-", 0) == 0) ALLOCATE_PAIR_LOOP(&side, void *, allocate, release);
  else if (what.rfind("random-", 0) == 0) ALLOCATE_RANDOM_LOOP(&side, void *, allocate, release);
  else if (what.rfind("batch-", 0) == 0) ALLOCATE_BATCH_LOOP(&side, void *, allocate, release);
  else if (what.rfind("together-", 0) == 0) ALLOCATE_TOGETHER_LOOP(&side, void *, allocate, release);
  else if (what.rfind("pass-", 0) == 0) {
    // The address is another one in each process.
    auto number = [&] { return static_cast<uint64_t>(heap.get_handle_from_address(allocate(size))); };
    auto releaseNumber = [&](uint64_t number) { release(heap.get_address_from_handle(static_cast<decltype(heap)::handle_t>(number))); };
    ALLOCATE_PASS_LOOP(&side, number(), releaseNumber);
  } else bench_fail(&side, "boost-allocate knows no such case; build it anew with Benchmarks/Peers/build", 0);
  bench_leave(&side);
  if (side.index == 0) bip::shared_memory_object::remove(name.c_str());
}
