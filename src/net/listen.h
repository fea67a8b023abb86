/*
 * listen.h -- sockets that wait for connections: made here, or handed over by systemd.
 *
 * Shape     descriptors, bound and listening, close-on-exec, for http_server_start().
 * Errors    E_CONFIG       an address that does not parse or resolve
 *           E_UNAVAILABLE  the kernel refuses: in use, not allowed, no such address
 * Source    sd_listen_fds(3); socket(7), ip(7), ipv6(7); facts peers-and-standards 4.13; docs/why/systemd.md
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/why.h"

#define LISTEN_NAME_MAX 256

/*
 * Bind and listen. `host` empty: all addresses, IPv6 and IPv4 in one socket. `port` 0: any free one. With `share` others of
 * this user may listen on the same port (SO_REUSEPORT), and the kernel spreads connections over them: all of them must be asked
 * for that way, or be shared since.
 */
enum err listen_open(struct str host, uint16_t port, bool share, struct why *why, int *ret_fd);

/* Sockets that share may join this one from now on. It has the port alone until then, so nobody else has it. */
void listen_share(int fd);

/* Does a socket of this process listen on `port`? */
bool listen_is_ours(uint16_t port);

/* The port `fd` is bound to; 0: not a bound IP socket. */
uint16_t listen_port(int fd);

struct listen_inherited {
	int fd;
	char name[LISTEN_NAME_MAX]; /* FileDescriptorName= of the socket unit; "unknown" when there is none */
};

/*
 * The listening sockets that systemd passed to this process, at most `max`; 0 when there are none. The variables that
 * announced them are cleared, so that no child takes them for its own and a second call finds nothing. E_CONFIG when one is no
 * listening stream socket or there are more than `max`; all are closed then.
 */
enum err listen_inherit(struct listen_inherited *ret_fds, size_t max, struct why *why, size_t *ret_count);
