#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

static long result(long value) { return value == -1 ? -(long)errno : value; }

_Static_assert(sizeof(off_t) == sizeof(int64_t), "off_t");
long ipc_sendfile(int to, int from, int64_t *offset, size_t count) { return result(sendfile(to, from, (off_t *)offset, count)); }
long ipc_splice(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t count, unsigned flags) {
  return result(splice(from, (off64_t *)from_offset, to, (off64_t *)to_offset, count, flags));
}
long ipc_tee(int from, int to, size_t count, unsigned flags) { return result(tee(from, to, count, flags)); }
long ipc_vmsplice(int pipe, const void *bytes, size_t count, unsigned flags) {
  struct iovec place = {.iov_base = (void *)bytes, .iov_len = count};
  return result(vmsplice(pipe, &place, 1, flags));
}
long ipc_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, size_t count) {
  return result(copy_file_range(from, (off64_t *)from_offset, to, (off64_t *)to_offset, count, 0));
}
const unsigned ipc_splice_now = SPLICE_F_NONBLOCK;

_Static_assert(sizeof(ipc_address_range) == sizeof(struct iovec), "struct iovec");
_Static_assert(offsetof(ipc_address_range, size) == offsetof(struct iovec, iov_len), "struct iovec");
long ipc_process_read(pid_t pid, void *buffer, size_t size, const ipc_address_range *from, size_t count) {
  struct iovec place = {.iov_base = buffer, .iov_len = size};
  return result(process_vm_readv(pid, &place, 1, (const struct iovec *)from, count, 0));
}
long ipc_process_write(pid_t pid, const void *bytes, size_t size, const ipc_address_range *to, size_t count) {
  struct iovec place = {.iov_base = (void *)bytes, .iov_len = size};
  return result(process_vm_writev(pid, &place, 1, (const struct iovec *)to, count, 0));
}
