#include "auth/tokens.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/pki.h"
#include "base/mem.h"
#include "scratch.h"

#define NOW 1800000000000LL

struct answer {
	unsigned calls;
	enum err result;
	char access[2048], refresh[2048];
	unsigned *left;
};

static struct loop loop;
static struct jwt_keys *keys;

static void write_key(void)
{
	struct buf pem = { 0 };

	assert_int_equal(E_OK, pki_make_rsa(2048, NULL, &pem));
	(void)scratch_file("jwt.key", buf_cstr(&pem));
	buf_release(&pem);
}

static int begin(void **state)
{
	(void)state;
	write_key();
	return loop_init(&loop, NULL) == E_OK &&
			       jwt_keys_open(&(struct pem){ scratch_path("jwt.key") }, NULL, &keys) == E_OK
		       ? 0
		       : 1;
}

static int end(void **state)
{
	(void)state;
	jwt_keys_free(keys);
	return 0;
}

static void copy(struct str text, char *to, size_t size)
{
	assert_true(text.n < size);
	memcpy(to, text.p ? text.p : "", text.n);
	to[text.n] = '\0';
}

static void on_issued(void *ctx, enum err result, struct tokens *tokens)
{
	struct answer *a = ctx;

	a->calls++;
	a->result = result;
	if (tokens) {
		copy(buf_view(&tokens->access), a->access, sizeof(a->access));
		copy(buf_view(&tokens->refresh), a->refresh, sizeof(a->refresh));
	}
	if (a->left && --*a->left == 0)
		loop_stop(&loop);
}

static struct tokens_request request_of(unsigned i)
{
	struct tokens_request request = { .mode = AGENT_MANAGED, .refresh = i % 2, .now_ms = NOW };

	(void)snprintf(request.agent.text, sizeof(request.agent.text), "agent-%u", i);
	return request;
}

/* A key that is replaced meanwhile changes nothing: each token is by one of the two. */
static void tokens_are_signed_while_the_key_is_replaced(void **state)
{
	static struct answer answers[16];
	unsigned left = ARRAY_LEN(answers);
	struct work_pool *pool;
	struct jwt_claims c;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(3, 16, NULL, &pool));
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		const struct tokens_request request = request_of(i);

		answers[i].left = &left;
		assert_int_equal(E_OK, tokens_start(keys, pool, &loop, &request, on_issued, &answers[i]));
		assert_int_equal(0, answers[i].calls);
	}
	write_key();
	assert_int_equal(E_OK, jwt_keys_reload(keys, NOW, NULL));
	loop_run(&loop);
	work_pool_free(pool);
	loop_release(&loop);
	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		const struct tokens_request request = request_of(i);

		assert_int_equal(1, answers[i].calls);
		assert_int_equal(E_OK, answers[i].result);
		assert_int_equal(E_OK, jwt_verify(keys, str_of(answers[i].access), JWT_ACCESS, NOW, NULL, &c));
		assert_string_equal(request.agent.text, c.agent.text);
		assert_int_equal(request.refresh, answers[i].refresh[0] != '\0');
		if (request.refresh)
			assert_int_equal(E_OK,
					 jwt_verify(keys, str_of(answers[i].refresh), JWT_REFRESH, NOW, NULL, &c));
	}
}

static void what_cannot_be_signed_is_an_error_and_no_token(void **state)
{
	const struct tokens_request request = request_of(1);
	struct work_pool *pool;
	bool done = false;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(1, 1, NULL, &pool));
	for (long n = 1; !done; n++) {
		unsigned left = 1;
		struct answer a = { .left = &left };

		mem_fail_at(n);
		if (tokens_start(keys, pool, &loop, &request, on_issued, &a) != E_OK)
			continue;
		loop_run(&loop);
		done = mem_count() < n;
		mem_fail_at(0);
		assert_int_equal(1, a.calls);
		assert_int_equal(a.result == E_OK, a.access[0] && a.refresh[0]);
		assert_true(a.result == E_OK || !a.access[0]);
		assert_int_equal(done ? E_OK : E_NOMEM, a.result);
	}
	work_pool_free(pool);
	loop_release(&loop);
}

static void what_cannot_be_asked_is_not_answered(void **state)
{
	const struct tokens_request request = request_of(1);
	struct answer a = { 0 };
	struct work_pool *pool;

	(void)state;
	assert_int_equal(E_OK, work_pool_new(1, 0, NULL, &pool));
	assert_int_equal(E_BUSY, tokens_start(keys, pool, &loop, &request, on_issued, &a));
	mem_fail_at(1);
	assert_int_equal(E_NOMEM, tokens_start(keys, pool, &loop, &request, on_issued, &a));
	mem_fail_at(0);
	work_pool_free(pool);
	loop_release(&loop);
	assert_int_equal(0, a.calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tokens_are_signed_while_the_key_is_replaced, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_signed_is_an_error_and_no_token, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_asked_is_not_answered, begin, end),
	};
	return cmocka_run_group_tests(tests, scratch_begin, scratch_end);
}
