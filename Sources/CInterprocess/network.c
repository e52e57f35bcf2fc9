#define _GNU_SOURCE 1
#include "CInterprocess.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static long result(long value) { return value == -1 ? -(long)errno : value; }

long ipc_get_local_address(int socket, void *address, size_t *address_size) {
  socklen_t length = (socklen_t)*address_size;
  long status = result(getsockname(socket, address, &length));
  *address_size = length;
  return status;
}
long ipc_get_peer_address(int socket, void *address, size_t *address_size) {
  socklen_t length = (socklen_t)*address_size;
  long status = result(getpeername(socket, address, &length));
  *address_size = length;
  return status;
}
long ipc_set_protocol_option(int socket, int level, int option, int value) {
  return result(setsockopt(socket, level, option, &value, sizeof value));
}
long ipc_change_group(int socket, int level, int option, uint32_t interface, const void *address, size_t size) {
  struct group_req group = {.gr_interface = interface};
  memcpy(&group.gr_group, address, size);
  return result(setsockopt(socket, level, option, &group, sizeof group));
}
long ipc_set_group_interface_v4(int socket, uint32_t interface) {
  struct ip_mreqn request = {.imr_ifindex = (int)interface};
  return result(setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request));
}
const int ipc_reuse_address = SO_REUSEADDR, ipc_broadcast = SO_BROADCAST, ipc_socket_error = SO_ERROR, ipc_socket_family = SO_DOMAIN;
const int ipc_level_tcp = IPPROTO_TCP, ipc_level_v4 = IPPROTO_IP, ipc_level_v6 = IPPROTO_IPV6;
const int ipc_tcp_no_delay = TCP_NODELAY, ipc_group_join = MCAST_JOIN_GROUP, ipc_group_leave = MCAST_LEAVE_GROUP;
const int ipc_v4_group_loop = IP_MULTICAST_LOOP, ipc_v4_group_hops = IP_MULTICAST_TTL;
const int ipc_v6_group_loop = IPV6_MULTICAST_LOOP, ipc_v6_group_hops = IPV6_MULTICAST_HOPS, ipc_v6_group_interface = IPV6_MULTICAST_IF;
