// Terminals. Each call returns its result, or a negative errno.
#ifndef INTERPROCESS_TERMINAL_H
#define INTERPROCESS_TERMINAL_H

#include <stdint.h>

long ipc_terminal_get_size(int terminal, uint16_t *rows, uint16_t *columns);
long ipc_terminal_set_size(int terminal, uint16_t rows, uint16_t columns);
// Of a pseudoterminal.
long ipc_terminal_create(int flags);
long ipc_terminal_unlock(int pseudoterminal);
// N of /dev/pts/N, and that file opened.
long ipc_terminal_number(int pseudoterminal, int *number);
long ipc_terminal_open_peer(int pseudoterminal, int flags);

#endif
