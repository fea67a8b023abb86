/* The thread that looks after hooks, toward a provider whose token nobody can read: it asks nobody. */
#include "gateway/hooks/hooks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "manifest.h"

#define DEADLINE_MS 60000

static const char manifest[] = "apiVersion: argoproj.io/v1alpha1\n"
			       "kind: EventSource\n"
			       "metadata: {name: hosts}\n"
			       "spec:\n"
			       "  holdfast: {dataDir: d}\n"
			       "  github:\n"
			       "    e:\n"
			       "      webhook: {endpoint: /hook, port: '12000', url: 'https://us'}\n"
			       "      repositories: [{owner: o, names: [r]}]\n"
			       "      events: [push]\n"
			       "      active: true\n"
			       "      contentType: json\n"
			       "      apiToken: {name: s, key: t}\n";

/* Until its hook is looked after; without an allocation of ours. */
static void wait_for_the_hook(struct metrics *metrics, struct buf *space)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	for (;;) {
		buf_clear(space);
		metrics_write(metrics, /* openmetrics= */ false, space);
		if (strstr(buf_cstr(space), "holdfast_hooks{provider=\"github\"} 1"))
			return;
		assert_true(clock_mono_ms() < until);
		poll(NULL, 0, 1);
	}
}

/* The n-th allocation fails; returns how many there were. */
static long pass(long n, struct gateway_config *config, struct metrics *metrics, struct buf *space)
{
	struct hooks h;
	long count;

	hooks_init(&h, metrics);
	h.again_ms = 1;
	mem_fail_at(n);
	hooks_apply(&h, config);
	wait_for_the_hook(metrics, space);
	count = mem_count();
	mem_fail_at(0);
	hooks_release(&h);
	return count;
}

static void a_moment_without_memory_leaves_no_hook_alone(void **state)
{
	struct gateway_config *config = manifest_load(manifest);
	struct metrics *metrics = metrics_new();
	struct buf space = { 0 };
	long count;

	(void)state;
	assert_non_null(buf_reserve(&space, 64 << 10));
	count = pass(0, config, metrics, &space);
	assert_true(count > 0);
	for (long n = 1; n <= count; n++)
		(void)pass(n, config, metrics, &space);
	buf_release(&space);
	metrics_free(metrics);
	gateway_config_unref(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_moment_without_memory_leaves_no_hook_alone),
	};

	log_setup(-1, LOG_ERROR, LOG_FORMAT_JSON);
	return cmocka_run_group_tests(tests, manifest_begin, manifest_end);
}
