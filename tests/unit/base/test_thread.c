#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <semaphore.h>
#include <signal.h>

static sem_t go;

static void *look_around(void *arg)
{
	sigset_t *mask = arg;

	(void)pthread_sigmask(SIG_SETMASK, NULL, mask);
	(void)sem_wait(&go);
	return arg;
}

static void a_thread_has_a_name_and_no_signals(void **state)
{
	sigset_t inside, outside;
	char name[THREAD_NAME_MAX + 1];
	pthread_t thread;
	void *result;

	(void)state;
	(void)sem_init(&go, 0, 0);
	assert_int_equal(E_OK, thread_start("some-thread", look_around, &inside, NULL, &thread));
	assert_int_equal(0, pthread_getname_np(thread, name, sizeof(name)));
	assert_string_equal("some-thread", name);
	(void)sem_post(&go);
	assert_int_equal(0, pthread_join(thread, &result));
	assert_ptr_equal(&inside, result);
	assert_int_equal(1, sigismember(&inside, SIGTERM));
	assert_int_equal(1, sigismember(&inside, SIGHUP));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &outside);
	assert_int_equal(0, sigismember(&outside, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_has_a_name_and_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
