// Addresses of sockets, and the Internet's protocols. Each call returns its result, or a negative errno.
#ifndef INTERPROCESS_NETWORK_H
#define INTERPROCESS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

long ipc_get_local_address(int socket, void *address, size_t *address_size);
long ipc_get_peer_address(int socket, void *address, size_t *address_size);
long ipc_set_protocol_option(int socket, int level, int option, int value);
// ipc_group_join, ipc_group_leave; the address is a sockaddr of at most 128 bytes.
long ipc_change_group(int socket, int level, int option, uint32_t interface, const void *address, size_t size);
long ipc_set_group_interface_v4(int socket, uint32_t interface);
extern const int ipc_reuse_address, ipc_broadcast, ipc_socket_error, ipc_socket_family;
extern const int ipc_level_tcp, ipc_level_v4, ipc_level_v6;
extern const int ipc_tcp_no_delay, ipc_group_join, ipc_group_leave;
extern const int ipc_v4_group_loop, ipc_v4_group_hops, ipc_v6_group_loop, ipc_v6_group_hops, ipc_v6_group_interface;

#endif
