#include "store/wake.h"

#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { IDLE, SIGNALLED, SLEEPING };

void wake_init(struct wake *w)
{
	atomic_init(&w->word, IDLE);
}

void wake_signal(struct wake *w)
{
	if (atomic_exchange(&w->word, SIGNALLED) == SLEEPING)
		syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void sleep_on(struct wake *w, uint32_t timeout_ms)
{
	struct timespec left = { .tv_sec = timeout_ms / 1000, .tv_nsec = (long)(timeout_ms % 1000) * 1000000 };

	syscall(SYS_futex, &w->word, FUTEX_WAIT_PRIVATE, SLEEPING, timeout_ms == WAKE_FOREVER ? NULL : &left, NULL, 0);
}

void wake_wait(struct wake *w, uint32_t timeout_ms)
{
	uint32_t idle = IDLE;

	if (timeout_ms && atomic_compare_exchange_strong(&w->word, &idle, SLEEPING))
		sleep_on(w, timeout_ms);
	atomic_store(&w->word, IDLE);
}
