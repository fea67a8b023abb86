#include "base/thread.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

enum err thread_start(const char *name, void *(*run)(void *arg), void *arg, struct why *why, pthread_t *ret_thread)
{
	sigset_t all, before;
	int problem;

	assert(strlen(name) <= THREAD_NAME_MAX);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	problem = pthread_create(ret_thread, NULL, run, arg);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (problem)
		return why_errno(why, E_UNAVAILABLE, problem, "start thread %s", name);
	(void)pthread_setname_np(*ret_thread, name);
	return E_OK;
}
