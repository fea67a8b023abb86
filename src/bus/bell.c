#include "bus/bell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err bell_init(struct bell *w, struct why *why)
{
	atomic_init(&w->asleep, false);
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd < 0 ? why_errno(why, E_UNAVAILABLE, errno, "eventfd") : E_OK;
}

void bell_release(struct bell *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	w->fd = -1;
}

void bell_ring(struct bell *w)
{
	static const uint64_t one = 1;

	/* Sequentially consistent on both sides: either this sees `asleep`, or the sleeper sees what was put. */
	if (atomic_load(&w->asleep) && atomic_exchange(&w->asleep, false))
		while (write(w->fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}

void bell_announce(struct bell *w)
{
	atomic_store(&w->asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
}

void bell_clear(struct bell *w)
{
	uint64_t count;

	atomic_store(&w->asleep, false);
	while (read(w->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}
