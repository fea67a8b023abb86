#include "net/listen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

#define INHERITED_FIRST 3 /* SD_LISTEN_FDS_START */

static enum err refuse(int fd, struct why *why, const char *what)
{
	int errno_value = errno;

	if (fd >= 0)
		close(fd);
	return why_errno(why, E_UNAVAILABLE, errno_value, "%s", what);
}

/* What to do about it, where that can be said. */
static const char *remedy(int bind_errno)
{
	switch (bind_errno) {
	case EADDRINUSE:
		return " (another process has the port: end it, or take another port)";
	case EACCES:
		return " (a port below 1024 needs root, CAP_NET_BIND_SERVICE or a socket unit of systemd)";
	case EADDRNOTAVAIL:
		return " (this machine does not have the address)";
	default:
		return "";
	}
}

static enum err refuse_bind(int fd, struct why *why)
{
	int errno_value = errno;
	char reason[96];

	close(fd);
	return why_set(why, E_UNAVAILABLE, "bind: %s%s", strerror_r(errno_value, reason, sizeof(reason)),
		       remedy(errno_value));
}

static enum err open_at(const struct sockaddr *at, socklen_t n, bool share, struct why *why, int *ret_fd)
{
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;
	const int off = 0;

	if (fd < 0)
		return refuse(fd, why, "socket");
	/* After a restart connections of the one before may still be in TIME_WAIT on this port. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return refuse(fd, why, "SO_REUSEADDR");
	if (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return refuse(fd, why, "SO_REUSEPORT");
	if (at->sa_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
		return refuse(fd, why, "IPV6_V6ONLY");
	if (bind(fd, at, n) < 0)
		return refuse_bind(fd, why);
	if (listen(fd, SOMAXCONN) < 0)
		return refuse(fd, why, "listen");
	*ret_fd = fd;
	return E_OK;
}

static bool kernel_has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* All addresses: one IPv6 socket takes both families; a kernel without IPv6 gets an IPv4 one. */
static enum err open_all(uint16_t port, bool share, struct why *why, int *ret_fd)
{
	const struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	enum err err;

	if (kernel_has_ipv6())
		err = open_at((const struct sockaddr *)&six, sizeof(six), share, why, ret_fd);
	else
		err = open_at((const struct sockaddr *)&four, sizeof(four), share, why, ret_fd);
	return err == E_OK ? E_OK : why_add(why, "listen on port %u", port);
}

static enum err open_host(const char *host, uint16_t port, bool share, struct why *why, int *ret_fd)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found;
	char service[8];
	enum err err;
	int rc;

	(void)snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc != 0)
		return why_set(why, E_CONFIG, "listen on %s: %s", host, gai_strerror(rc));
	err = open_at(found->ai_addr, found->ai_addrlen, share, why, ret_fd);
	freeaddrinfo(found);
	return err == E_OK ? E_OK : why_add(why, "listen on %s port %u", host, port);
}

enum err listen_open(struct str host, uint16_t port, bool share, struct why *why, int *ret_fd)
{
	CLEANUP(mem_freep) char *name = NULL;

	if (host.n == 0)
		return open_all(port, share, why, ret_fd);
	name = str_dup(host);
	if (!name)
		return why_set(why, E_NOMEM, "listen on %.*s", STR_ARG(host));
	return open_host(name, port, share, why, ret_fd);
}

void listen_share(int fd)
{
	const int on = 1;

	/* Without it the next one is refused. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

uint16_t listen_port(int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t n = sizeof(at);

	if (getsockname(fd, (struct sockaddr *)&at, &n) < 0)
		return 0;
	if (at.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&at)->sin_port);
	if (at.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&at)->sin6_port);
	return 0;
}

static int option_of(int fd, int name)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &n) == 0 ? value : 0;
}

static bool is_listening(int fd)
{
	return option_of(fd, SO_ACCEPTCONN) && option_of(fd, SO_TYPE) == SOCK_STREAM;
}

bool listen_is_ours(uint16_t port)
{
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *entry;
	bool found = false;
	uint64_t fd;

	while (fds && !found && (entry = readdir(fds)))
		found = str_to_u64(str_of(entry->d_name), INT_MAX, &fd) && is_listening((int)fd) &&
			listen_port((int)fd) == port;
	if (fds)
		(void)closedir(fds);
	return found;
}

/* How many descriptors were passed to this very process; 0: none, or to another one. */
static size_t inherited_count(void)
{
	uint64_t pid;
	uint64_t count;

	if (!str_to_u64(str_of(getenv("LISTEN_PID")), INT32_MAX, &pid) || (pid_t)pid != getpid())
		return 0;
	if (!str_to_u64(str_of(getenv("LISTEN_FDS")), INT32_MAX - INHERITED_FIRST, &count))
		return 0;
	return (size_t)count;
}

static enum err take_inherited(int fd, struct str name, struct why *why, struct listen_inherited *ret_fd)
{
	if (!is_listening(fd))
		return why_set(why, E_CONFIG, "descriptor %d from systemd is no listening stream socket", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return why_errno(why, E_CONFIG, errno, "descriptor %d from systemd", fd);
	ret_fd->fd = fd;
	if (name.n == 0)
		name = STR("unknown");
	(void)snprintf(ret_fd->name, sizeof(ret_fd->name), "%.*s", STR_ARG(name));
	return E_OK;
}

static enum err take_all(size_t count, struct str names, struct listen_inherited *ret_fds, size_t max, struct why *why)
{
	if (count > max)
		return why_set(why, E_CONFIG, "%zu sockets from systemd, want at most %zu", count, max);
	for (size_t i = 0; i < count; i++) {
		enum err err = take_inherited(INHERITED_FIRST + (int)i, str_cut(&names, ':'), why, &ret_fds[i]);

		if (err != E_OK)
			return err;
	}
	return E_OK;
}

enum err listen_inherit(struct listen_inherited *ret_fds, size_t max, struct why *why, size_t *ret_count)
{
	size_t count = inherited_count();
	enum err err = take_all(count, str_of(getenv("LISTEN_FDNAMES")), ret_fds, max, why);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (err != E_OK) {
		if (count)
			(void)close_range(INHERITED_FIRST, INHERITED_FIRST + (unsigned)count - 1, 0);
		return why_add(why, "socket activation");
	}
	*ret_count = count;
	return E_OK;
}
