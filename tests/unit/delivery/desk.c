/* clang-format off */
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "desk.h"

#define RANDOM 0x5eed

void desk_open(struct desk *d, const struct outbox_options *options)
{
	*d = (struct desk){ .epoch = 1 };
	d->o = outbox_new(options ? options : &outbox_defaults, 0);
	assert_non_null(d->o);
	assert_int_equal(outbox_connected(d->o, d->epoch), E_OK);
}

void desk_close(struct desk *d)
{
	outbox_free(d->o);
	buf_release(&d->text);
}

static enum delivery_type type_of(char letter)
{
	static const char letters[] = { [DELIVERY_COMMAND] = 'o', [DELIVERY_REQUEST] = 'q', [DELIVERY_DELETE] = 'd',
					[DELIVERY_CREATE] = 'c',  [DELIVERY_SPEC] = 's',    [DELIVERY_STATUS] = 't' };

	for (unsigned type = 0; type < DELIVERY_TYPE_COUNT; type++)
		if (letters[type] == letter)
			return type;
	fail_msg("no type is called '%c'", letter);
	return DELIVERY_TYPE_COUNT;
}

enum err desk_add_bytes(struct desk *d, const char *who, const char *what, size_t bytes)
{
	static const char zeros[1 << 16];
	CLEANUP(blob_unref_freep) struct blob *blob = bytes ? blob_new((struct str){ zeros, bytes }) : NULL;
	char name = (char)(who[0] | 0x20);
	struct delivery_event e = { .type = type_of(what[0]),
				    .kind = STR("Application"),
				    .namespace = STR("argocd"),
				    .name = { &name, 1 },
				    .resource_id = str_of(who),
				    .event_id = str_of(what),
				    .bytes = blob };

	return bytes && !blob ? E_NOMEM : outbox_add(d->o, &e, d->now);
}

enum err desk_add(struct desk *d, const char *who, const char *what)
{
	return desk_add_bytes(d, who, what, 0);
}

static void write_frame(struct desk *d, const struct outbox_frame *f)
{
	if (f->control)
		buf_addf(&d->text, "[%6llu] control %.*s\n", (unsigned long long)d->now, STR_ARG(blob_view(f->bytes)));
	else
		buf_addf(&d->text, "[%6llu] %.*s %.*s\n", (unsigned long long)d->now, STR_ARG(f->resource_id),
			 STR_ARG(f->event_id));
}

bool desk_send(struct desk *d)
{
	struct outbox_frame f;

	if (!outbox_take(d->o, d->now, &f))
		return false;
	write_frame(d, &f);
	if (!f.control) {
		d->order = f.order;
		outbox_sent(d->o, f.order, d->now, RANDOM);
	}
	return true;
}

size_t desk_send_all(struct desk *d, size_t max)
{
	size_t n = 0;

	while (n < max && desk_send(d))
		n++;
	return n;
}

enum outbox_effect desk_answer(struct desk *d, const char *who, const char *what, enum delivery_outcome outcome,
			       bool retryable, const char *reason)
{
	struct delivery_answer a = { .outcome = outcome,
				     .retryable = retryable,
				     .resource_id = str_of(who),
				     .event_id = str_of(what),
				     .reason = str_of(reason) };

	return outbox_answer(d->o, d->epoch, &a, d->now, RANDOM, NULL);
}

enum outbox_effect desk_ack(struct desk *d, const char *who, const char *what)
{
	return desk_answer(d, who, what, DELIVERY_APPLIED, false, NULL);
}

void desk_reconnect(struct desk *d)
{
	outbox_disconnected(d->o);
	assert_int_equal(outbox_connected(d->o, ++d->epoch), E_OK);
}

void desk_wait(struct desk *d, uint64_t ms)
{
	uint64_t end = d->now + ms;

	for (uint64_t due; (due = outbox_due(d->o, d->now)) <= end;) {
		d->now = due > d->now ? due : d->now;
		desk_send_all(d, SIZE_MAX);
	}
	d->now = end;
}

void desk_expect(struct desk *d, const char *text)
{
	assert_string_equal(d->text.n ? buf_cstr(&d->text) : "", text);
	buf_clear(&d->text);
}

struct outbox_stats desk_stats(const struct desk *d)
{
	struct outbox_stats s;

	outbox_stats(d->o, &s);
	return s;
}
