#include <string.h>

#include "CCrashLab.h"

static const char *const names[CL_PATTERNS] = {
    "zeros",         "ones",          "random words",     "one flipped bit in 64",      "small integers",   "huge integers",
    "off by a word", "swapped words", "random 32 halves", "the highest bit everywhere", "one random word", "bytes of 0x7f"};

const char *cl_pattern_name(int pattern) { return names[(unsigned)pattern % CL_PATTERNS]; }

// SplitMix64 (Steele, Lea and Flood).
static uint64_t next(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void cl_scribble(void *bytes, uint64_t count, int pattern, uint64_t seed) {
  volatile uint64_t *words = bytes;
  uint64_t n = count / 8, state = seed;
  if (pattern == 10) {
    words[next(&state) % n] = next(&state);
    return;
  }
  for (uint64_t i = 0; i < n; i++) {
    uint64_t old = words[i], random = next(&state);
    switch (pattern) {
      case 0: words[i] = 0; break;
      case 1: words[i] = ~0ull; break;
      case 2: words[i] = random; break;
      case 3: words[i] = old ^ (1ull << (random & 63)); break;
      case 4: words[i] = random & 0xf; break;
      case 5: words[i] = ~0ull - (random & 0xff); break;
      case 6: words[i] = random & 1 ? old + 8 : old - 8; break;
      case 7:
        if (i + 1 < n && i % 2 == 0) {
          words[i] = words[i + 1];
          words[i + 1] = old;
        }
        break;
      case 8: words[i] = random & 1 ? (old & 0xffffffff) | (random & ~0xffffffffull) : (old & ~0xffffffffull) | (random >> 32); break;
      case 9: words[i] = old ^ (1ull << 63); break;
      default: words[i] = 0x7f7f7f7f7f7f7f7full; break;
    }
  }
}
