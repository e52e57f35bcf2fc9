#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <stdlib.h>
#include <sys/ioctl.h>

static long result(long value) { return value == -1 ? -(long)errno : value; }

long ipc_terminal_get_size(int terminal, uint16_t *rows, uint16_t *columns) {
  struct winsize size = {0};
  long status = result(ioctl(terminal, TIOCGWINSZ, &size));
  *rows = size.ws_row;
  *columns = size.ws_col;
  return status;
}
long ipc_terminal_set_size(int terminal, uint16_t rows, uint16_t columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  return result(ioctl(terminal, TIOCSWINSZ, &size));
}
long ipc_terminal_create(int flags) { return result(posix_openpt(flags)); }
long ipc_terminal_unlock(int pseudoterminal) { return result(unlockpt(pseudoterminal)); }
long ipc_terminal_number(int pseudoterminal, int *number) { return result(ioctl(pseudoterminal, TIOCGPTN, number)); }
long ipc_terminal_open_peer(int pseudoterminal, int flags) { return result(ioctl(pseudoterminal, TIOCGPTPEER, flags)); }
