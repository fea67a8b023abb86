#include "rpc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

/* All messages of `stream`, given in pieces of `step` bytes, each in quotes; "!name" at an error, "..." inside a message. */
static void read_all(struct rpc_reader *r, struct str stream, size_t step, struct buf *ret_text)
{
	for (size_t at = 0; at < stream.n; at += step) {
		struct str in = str_sub(stream, at, step);
		/* A block of its own, so that the sanitizer sees who keeps what was lent. */
		char *block = mem_dup(in.p, in.n);
		struct str rest = { block, in.n };
		struct str message;
		enum rpc_read read;

		while ((read = rpc_reader_feed(r, &rest, &message)) == RPC_READ_MESSAGE)
			buf_json(ret_text, message);
		mem_free(block);
		if (read == RPC_READ_FAILED) {
			buf_addf(ret_text, "!%s", err_name(r->err));
			return;
		}
		assert_int_equal(0, rest.n);
	}
	if (rpc_reader_is_inside(r))
		buf_lit(ret_text, "...");
}

struct row {
	struct str stream;
	const char *text;
};

static const struct row rows[] = {
	{ { "", 0 }, "" },
	{ STR("\0\0\0\0\0"), "\"\"" },
	{ STR("\0\0\0\0\3abc"), "\"abc\"" },
	{ STR("\0\0\0\0\0\0\0\0\0\2hi\0\0\0\0\0"), "\"\"\"hi\"\"\"" },
	{ STR("\0"), "..." },
	{ STR("\0\0\0\0\3ab"), "..." },
	{ STR("\0\0\0\0\1a\0\0\0\0"), "\"a\"..." },
	{ STR("\2\0\0\0\0"), "!malformed" },
	{ STR("\1\0\0\0\0"), "!unsupported" },
	{ STR("\0\0\0\1\1"), "!limit" },
	{ STR("\0\377\377\377\377"), "!limit" },
	{ STR("\0\0\0\0\1a\0\1\0\0\0"), "\"a\"!limit" },
};

static struct rpc_reader reader(struct rpc_budget *budget, struct gzip *gzip)
{
	return (struct rpc_reader){ .max = 256, .body.max = 256, .budget = budget, .gzip = gzip };
}

static void the_split_of_the_stream_changes_no_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= rows[i].stream.n + 1; step++) {
			struct rpc_budget budget = { 0 };
			struct gzip gzip = { 0 };
			struct rpc_reader r = reader(&budget, &gzip);
			struct buf text = { 0 };

			r.keep = step % 2;
			read_all(&r, rows[i].stream, step, &text);
			if (!str_is(buf_view(&text), rows[i].text))
				fail_msg("row %zu step %zu: %.*s", i, step, STR_ARG(buf_view(&text)));
			rpc_reader_release(&r);
			assert_int_equal(0, budget.used);
			buf_release(&text);
		}
	}
}

/* "packed" twice over and over, as one packed message between two plain ones. */
static void make_stream(struct gzip *gzip, struct buf *ret_stream, struct buf *ret_text)
{
	struct buf packed = { 0 };
	unsigned char prefix[RPC_PREFIX];
	char plain[200];

	memset(plain, 'p', sizeof(plain));
	assert_int_equal(E_OK, gzip_pack(gzip, (struct str){ plain, sizeof(plain) }, &packed));
	rpc_prefix_write(true, packed.n, prefix);
	buf_lit(ret_stream, "\0\0\0\0\1a");
	buf_add(ret_stream, prefix, sizeof(prefix));
	buf_str(ret_stream, buf_view(&packed));
	buf_lit(ret_stream, "\0\0\0\0\1b");
	buf_lit(ret_text, "\"a\"");
	buf_json(ret_text, (struct str){ plain, sizeof(plain) });
	buf_lit(ret_text, "\"b\"");
	buf_release(&packed);
}

static void packed_messages_stand_among_plain_ones(void **state)
{
	struct gzip gzip = { 0 };
	struct buf stream = { 0 }, want = { 0 };

	(void)state;
	make_stream(&gzip, &stream, &want);
	for (size_t step = 1; step <= stream.n; step++) {
		struct rpc_budget budget = { 0 };
		struct rpc_reader r = reader(&budget, &gzip);
		struct buf text = { 0 };

		r.packing = true;
		read_all(&r, buf_view(&stream), step, &text);
		assert_true(str_eq(buf_view(&want), buf_view(&text)));
		rpc_reader_release(&r);
		assert_int_equal(0, budget.used);
		buf_release(&text);
	}
	gzip_release(&gzip);
	buf_release(&stream);
	buf_release(&want);
}

static void a_packed_message_must_fit_unpacked(void **state)
{
	struct gzip gzip = { 0 };
	struct buf packed = { 0 }, stream = { 0 }, text = { 0 };
	struct rpc_budget budget = { 0 };
	struct rpc_reader r = reader(&budget, &gzip);
	unsigned char prefix[RPC_PREFIX];
	char plain[257] = { 0 };

	(void)state;
	assert_int_equal(E_OK, gzip_pack(&gzip, (struct str){ plain, sizeof(plain) }, &packed));
	rpc_prefix_write(true, packed.n, prefix);
	buf_add(&stream, prefix, sizeof(prefix));
	buf_str(&stream, buf_view(&packed));
	r.packing = true;
	read_all(&r, buf_view(&stream), 7, &text);
	assert_true(str_is(buf_view(&text), "!limit"));
	rpc_reader_release(&r);
	buf_release(&text);
	buf_release(&stream);
	buf_release(&packed);
	gzip_release(&gzip);
}

/* The turn has room for a tenth of it; what has come out is counted, and given back. */
static void a_packed_message_may_take_several_turns(void **state)
{
	struct gzip gzip = { 0 };
	struct rpc_budget budget = { .max = 300000 };
	size_t left = 0;
	struct rpc_reader r = { .max = 200000,
				.body.max = 200000,
				.budget = &budget,
				.gzip = &gzip,
				.packing = true,
				.unpack_left = &left };
	struct buf packed = { 0 }, stream = { 0 };
	unsigned char prefix[RPC_PREFIX];
	char *zeros = mem_alloc(200000);
	struct str in, message;
	enum rpc_read read;
	int turns = 0;

	(void)state;
	assert_int_equal(E_OK, gzip_pack(&gzip, (struct str){ zeros, 200000 }, &packed));
	rpc_prefix_write(true, packed.n, prefix);
	buf_add(&stream, prefix, sizeof(prefix));
	buf_str(&stream, buf_view(&packed));
	buf_lit(&stream, "\0\0\0\0\1b");
	in = buf_view(&stream);
	for (; (read = rpc_reader_feed(&r, &in, &message)) == RPC_READ_LATER; turns++) {
		assert_int_equal(0, left);
		assert_int_equal(budget.used, r.body.cap + r.plain.cap);
		left = 20000;
	}
	assert_int_equal(RPC_READ_MESSAGE, read);
	assert_int_equal(7, turns); /* steps of 16 KiB: two a turn, none in the first */
	assert_true(str_eq((struct str){ zeros, 200000 }, message));
	assert_int_equal(RPC_READ_MESSAGE, rpc_reader_feed(&r, &in, &message));
	assert_true(str_is(message, "b"));
	rpc_reader_release(&r);
	assert_int_equal(0, budget.used);
	gzip_release(&gzip);
	buf_release(&stream);
	buf_release(&packed);
	mem_free(zeros);
}

static void what_is_announced_takes_no_memory_until_it_comes(void **state)
{
	struct rpc_budget budget = { .max = 10000 };
	struct rpc_reader r = { .max = 1 << 30, .body.max = 1 << 30, .budget = &budget };
	struct str in = STR("\0\70\0\0\0some bytes");
	struct str message;

	(void)state;
	assert_int_equal(RPC_READ_MORE, rpc_reader_feed(&r, &in, &message));
	assert_true(r.body.cap <= 256);
	assert_int_equal(r.body.cap, budget.used);
	rpc_reader_release(&r);
}

static void the_budget_ends_a_message_that_is_too_much_with_others(void **state)
{
	struct rpc_budget budget = { .max = 10000, .used = 9000 };
	struct rpc_reader r = { .max = 1 << 20, .body.max = 1 << 20, .budget = &budget };
	struct str in = STR("\0\0\20\0\0");
	struct str message;
	char bytes[600] = { 0 };
	enum rpc_read read = rpc_reader_feed(&r, &in, &message);

	(void)state;
	for (int i = 0; i < 3 && read == RPC_READ_MORE; i++) {
		in = (struct str){ bytes, sizeof(bytes) };
		read = rpc_reader_feed(&r, &in, &message);
	}
	assert_int_equal(RPC_READ_FAILED, read);
	assert_int_equal(E_LIMIT, r.err);
	assert_true(budget.used <= 10000);
	rpc_reader_release(&r);
	assert_int_equal(9000, budget.used);
}

static void a_missing_allocation_fails_the_stream(void **state)
{
	struct gzip gzip = { 0 };
	struct buf stream = { 0 }, want = { 0 };
	long n;

	(void)state;
	make_stream(&gzip, &stream, &want);
	for (n = 1; n < 50; n++) {
		struct rpc_budget budget = { 0 };
		struct rpc_reader r = reader(&budget, &gzip);
		struct str in = str_sub(buf_view(&stream), 0, 20), message;
		struct str rest = str_sub(buf_view(&stream), 20, stream.n);
		enum rpc_read read;

		r.packing = true;
		gzip_release(&gzip);
		mem_fail_at(n);
		while ((read = rpc_reader_feed(&r, &in, &message)) == RPC_READ_MESSAGE)
			;
		while (read == RPC_READ_MORE && rest.n &&
		       (read = rpc_reader_feed(&r, &rest, &message)) == RPC_READ_MESSAGE)
			read = RPC_READ_MORE;
		mem_fail_at(0);
		if (read == RPC_READ_FAILED)
			assert_int_equal(E_NOMEM, r.err);
		rpc_reader_release(&r);
		assert_int_equal(0, budget.used);
		if (read != RPC_READ_FAILED)
			break;
	}
	assert_in_range(n, 3, 49);
	gzip_release(&gzip);
	buf_release(&stream);
	buf_release(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_split_of_the_stream_changes_no_message),
		cmocka_unit_test(packed_messages_stand_among_plain_ones),
		cmocka_unit_test(a_packed_message_must_fit_unpacked),
		cmocka_unit_test(a_packed_message_may_take_several_turns),
		cmocka_unit_test(what_is_announced_takes_no_memory_until_it_comes),
		cmocka_unit_test(the_budget_ends_a_message_that_is_too_much_with_others),
		cmocka_unit_test(a_missing_allocation_fails_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
