// Bytes that go from file to file, or from process to process, without coming through a buffer. Each call returns its result, or a negative errno.
#ifndef INTERPROCESS_TRANSFER_H
#define INTERPROCESS_TRANSFER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// An offset may be NULL: the file's own position.
long ipc_sendfile(int to, int from, int64_t *offset, size_t count);
long ipc_splice(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t count, unsigned flags);
long ipc_tee(int from, int to, size_t count, unsigned flags);
long ipc_vmsplice(int pipe, const void *bytes, size_t count, unsigned flags);
long ipc_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t count);
extern const unsigned ipc_splice_now;

// Addresses of another process, as the kernel lays them out (struct iovec).
typedef struct ipc_address_range {
  uintptr_t address;
  size_t size;
} ipc_address_range;
long ipc_process_read(pid_t pid, void *buffer, size_t size, const ipc_address_range *from, size_t count);
long ipc_process_write(pid_t pid, const void *bytes, size_t size, const ipc_address_range *to, size_t count);

#endif
