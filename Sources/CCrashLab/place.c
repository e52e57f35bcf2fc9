#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "CCrashLab.h"

int cl_module(uint64_t address, char *path, size_t size, uint64_t *offset) {
  Dl_info info;
  struct link_map *map;
  if (!dladdr1((void *)address, &info, (void **)&map, RTLD_DL_LINKMAP)) return 0;
  *offset = address - map->l_addr;
  if (map->l_name[0]) return snprintf(path, size, "%s", map->l_name) > 0;
  ssize_t length = readlink("/proc/self/exe", path, size - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return 1;
}

void cl_symbol(uint64_t address, char *name, size_t size, uint64_t *offset) {
  Dl_info info;
  name[0] = 0;
  if (!dladdr((void *)address, &info) || !info.dli_sname) return;
  snprintf(name, size, "%s", info.dli_sname);
  *offset = address - (uint64_t)info.dli_saddr;
}

// The Swift runtime's own.
extern char *swift_demangle(const char *name, size_t length, char *buffer, size_t *size, uint32_t flags) __attribute__((weak));

char *cl_demangle(const char *name) { return swift_demangle ? swift_demangle(name, strlen(name), NULL, NULL, 0) : NULL; }
void cl_free(void *memory) { free(memory); }
