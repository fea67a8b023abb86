#include "bus/bell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum err bell_init(struct bell *b, struct why *why)
{
	atomic_init(&b->asleep, false);
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return b->fd < 0 ? why_errno(why, E_UNAVAILABLE, errno, "eventfd") : E_OK;
}

void bell_release(struct bell *b)
{
	if (b->fd >= 0)
		(void)close(b->fd);
	b->fd = -1;
}

void bell_ring(struct bell *b)
{
	static const uint64_t one = 1;

	/* Sequentially consistent on both sides: either this sees `asleep`, or the sleeper sees what was put. */
	if (atomic_load(&b->asleep) && atomic_exchange(&b->asleep, false))
		while (write(b->fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
}

void bell_announce(struct bell *b)
{
	atomic_store(&b->asleep, true);
	atomic_thread_fence(memory_order_seq_cst);
}

void bell_clear(struct bell *b)
{
	uint64_t count;

	atomic_store(&b->asleep, false);
	while (read(b->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}
