#include <inttypes.h>

#include "base/mem.h"
#include "principal/process.h"

/* Until the ledger has forgotten, too. */
struct forgetting {
	struct journal_listener listener;
	struct http_request *request; /* NULL: who asked has gone */
	struct buf text;              /* the answer */
};

static void forgetting_free(struct forgetting *f)
{
	buf_release(&f->text);
	mem_free(f);
}

/* Why not now; 0: it may. */
static unsigned refuse(const struct principal *p, const struct hub_agent *a, struct buf *text)
{
	uint64_t owned = hub_owned(a);

	if (a->user) {
		buf_addf(text,
			 "%s is connected: stop it, and take its certificate or user away; it would come back as a new "
			 "one\n",
			 a->name.text);
		return 409;
	}
	if (owned) {
		buf_addf(text,
			 "%s has applications in the source (%" PRIu64
			 "), which would make it known again: remove them first\n",
			 a->name.text, owned);
		return 409;
	}
	if (ledger_has_failed(p->daemon.ledger)) {
		buf_lit(text, "the ledger cannot be written\n");
		return 503;
	}
	return 0;
}

static void describe(struct hub_agent *a, const char *verb, struct buf *text)
{
	struct source_stats source;
	struct replica_stats replica;
	struct outbox_stats outbox;

	source_stats(session_source(a->session), &source);
	replica_stats(session_replica(a->session), &replica);
	outbox_stats(peer_outbox(session_peer(a->session)), &outbox);
	buf_addf(text,
		 "%s %s forgotten (%s; copies that it has or had: %" PRIu64
		 ", events that it did not confirm: %" PRIu64,
		 a->name.text, verb, agent_mode_text(a->mode), source.copies,
		 outbox.waiting + outbox.in_flight + outbox.quarantined);
	if (a->mode == AGENT_AUTONOMOUS)
		buf_addf(text, "; its objects, which stay in the source: %" PRIu64, replica.records);
	buf_lit(text, ")\n");
}

static void on_durable(struct journal_listener *listener, struct str tag)
{
	struct forgetting *f = CONTAINER_OF(listener, struct forgetting, listener);

	(void)tag;
	if (f->request)
		http_text(f->request, 200, buf_view(&f->text));
	forgetting_free(f);
}

static void forget(struct http_request *r, struct hub_agent *a)
{
	struct forgetting *f = mem_alloc(sizeof(*f));

	if (!f) {
		http_text(r, 503, STR("no memory; try again later\n"));
		return;
	}
	*f = (struct forgetting){ .listener.on_durable = on_durable, .request = r };
	describe(a, "is", &f->text);
	r->user = f;
	log_warn(PRINCIPAL_LOG, "an operator had an agent forgotten", LOG_S("agent", a->name.text));
	hub_forget(a, &f->listener);
}

void forget_closed(void *principal, struct http_request *r)
{
	struct forgetting *f = r->user;

	(void)principal;
	if (f)
		f->request = NULL;
}

/* An answer that is there at once. */
static void say(struct http_request *r, unsigned status, struct buf *text)
{
	http_text(r, status, buf_view(text));
	buf_release(text);
}

void forget_post(void *principal, struct http_request *r)
{
	struct principal *p = principal;
	struct str rest = r->query, name = str_cut(&rest, '&'), key = str_cut(&name, '=');
	struct hub_agent *a = str_is(key, "agent") ? hub_find(p->hub, name) : NULL;
	struct buf text = { 0 };
	unsigned status;

	if (!hub_is_synced(p->hub))
		http_text(r, 503, STR("the backend has not reported everything yet\n"));
	else if (!a)
		http_text(r, 404, STR("no agent of this name is known\n"));
	else if ((status = refuse(p, a, &text)))
		say(r, status, &text);
	else if (str_is(rest, "dry-run")) {
		describe(a, "would be", &text);
		say(r, 200, &text);
	} else
		forget(r, a);
}
