#include "net/systemd.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define PATIENCE_S 5 /* for a manager that is busy; one that does not read at all costs it with each change of state */

/* "@name" is a socket in the abstract namespace: its address begins with a zero byte and has no end mark. */
static bool address_of(struct str path, struct sockaddr_un *ret_at, socklen_t *ret_n)
{
	*ret_at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((path.p[0] != '/' && path.p[0] != '@') || path.n < 2 || path.n >= sizeof(ret_at->sun_path))
		return false;
	memcpy(ret_at->sun_path, path.p, path.n);
	if (path.p[0] == '@')
		ret_at->sun_path[0] = '\0';
	*ret_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + (path.p[0] == '/' ? 1 : 0));
	return true;
}

/* Lines "NAME=value" joined by '\n', as sd_notify(3). A manager that stands still must not make us stand still with it. */
static bool notify(const char *lines, int flags)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct str path = str_of(getenv("NOTIFY_SOCKET"));
	struct str text = str_of(lines);
	struct sockaddr_un at;
	socklen_t n = 0;
	ssize_t sent;
	int fd;

	if (path.n == 0)
		return true;
	if (!address_of(path, &at, &n))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	do
		sent = sendto(fd, text.p, text.n, flags | MSG_NOSIGNAL, (const struct sockaddr *)&at, n);
	while (sent < 0 && errno == EINTR);
	close(fd);
	return sent >= 0;
}

/* A line break in the status would begin another assignment. */
static bool notify_status(const char *prefix, const char *status)
{
	char lines[512];
	int n = snprintf(lines, sizeof(lines), "%sSTATUS=%s", prefix, status);

	if (n < 0)
		return false;
	for (char *p = lines + strlen(prefix); *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	return notify(lines, /* flags= */ 0);
}

bool systemd_ready(const char *status)
{
	return notify_status("READY=1\n", status);
}

bool systemd_status(const char *status)
{
	return notify_status("", status);
}

bool systemd_reloading(void)
{
	char lines[64];

	(void)snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%llu",
		       (unsigned long long)(clock_mono_ns() / 1000));
	return notify(lines, /* flags= */ 0);
}

bool systemd_stopping(void)
{
	return notify("STOPPING=1", /* flags= */ 0);
}

bool systemd_watchdog(void)
{
	return notify("WATCHDOG=1", MSG_DONTWAIT); /* where many wait to be read, one more says nothing new */
}

uint64_t systemd_watchdog_ms(void)
{
	const char *for_pid = getenv("WATCHDOG_PID");
	uint64_t pid;
	uint64_t us;

	if (!str_to_u64(str_of(getenv("WATCHDOG_USEC")), UINT64_MAX, &us))
		return 0;
	if (for_pid && (!str_to_u64(str_of(for_pid), INT32_MAX, &pid) || (pid_t)pid != getpid()))
		return 0;
	return us / 2 < 1000 ? us > 0 : us / 2 / 1000;
}
