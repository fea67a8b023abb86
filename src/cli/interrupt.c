#include "cli/interrupt.h"

#include <signal.h>
#include <time.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	(void)number;
	caught = 1;
}

void interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool interrupted(void)
{
	return caught;
}

bool interrupt_wait(int fd, int timeout_ms)
{
	struct timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
	struct pollfd poll = { .fd = fd, .events = POLLIN };
	sigset_t block, before;
	int n = 0;

	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &before);
	if (!caught)
		n = ppoll(&poll, 1, timeout_ms < 0 ? NULL : &timeout, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return n > 0;
}
