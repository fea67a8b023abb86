#include "daemon/session_json.h"

#include <inttypes.h>

#define QUARANTINED_SHOWN 100 /* of one peer; the count says how many there are */

static uint64_t age_ms(uint64_t since_ms, uint64_t now_ms)
{
	return since_ms >= now_ms ? 0 : now_ms - since_ms; /* UINT64_MAX: there is none */
}

static void write_quarantine(const struct outbox *outbox, uint64_t now_ms, struct buf *json)
{
	struct outbox_quarantined q;
	const void *cursor = NULL;

	for (size_t n = 0; n < QUARANTINED_SHOWN && outbox_quarantine_next(outbox, &cursor, &q); n++) {
		buf_addf(json, "%s{\"type\":\"%s\",\"resource_id\":", n ? "," : "", delivery_type_name(q.type));
		buf_json(json, q.resource_id);
		buf_lit(json, ",\"event_id\":");
		buf_json(json, q.event_id);
		buf_addf(json, ",\"age_ms\":%" PRIu64 ",\"reason\":", age_ms(q.since_ms, now_ms));
		buf_json(json, q.reason);
		buf_char(json, '}');
	}
}

static void write_outbox(const struct outbox *outbox, uint64_t now_ms, struct buf *json)
{
	const struct lag *lag = outbox_lag(outbox);
	struct outbox_stats o;

	outbox_stats(outbox, &o);
	buf_addf(json,
		 ",\"waiting\":%" PRIu64 ",\"in_flight\":%" PRIu64 ",\"oldest_ms\":%" PRIu64 ",\"confirmed\":%" PRIu64
		 ",\"resent\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"lag_p50_ms\":%" PRIu64
		 ",\"lag_p99_ms\":%" PRIu64 ",\"quarantined_count\":%" PRIu64 ",\"quarantined\":[",
		 o.waiting, o.in_flight, age_ms(o.oldest_ms, now_ms), o.confirmed, o.resent,
		 o.rejected + o.rejected_retryable, o.refused, lag_quantile(lag, 500), lag_quantile(lag, 990),
		 o.quarantined);
	write_quarantine(outbox, now_ms, json);
	buf_char(json, ']');
}

void session_json(struct session *s, uint64_t now_ms, struct buf *json)
{
	struct source_stats source;
	struct replica_stats replica;
	const char *held_text = "";
	uint64_t held = source_held(session_source(s), &held_text);

	source_stats(session_source(s), &source);
	replica_stats(session_replica(s), &replica);
	buf_addf(json,
		 ",\"objects\":%" PRIu64 ",\"behind\":%" PRIu64 ",\"records\":%" PRIu64 ",\"applied\":%" PRIu64
		 ",\"reverted\":%" PRIu64 ",\"no_room\":%" PRIu64 ",\"full\":%s,\"maps_otherwise\":%s,\"held\":%" PRIu64
		 ",\"held_reason\":",
		 source.objects, source.behind, replica.records, replica.applied, replica.reverted,
		 session_room(s)->refused, session_room(s)->full ? "true" : "false",
		 session_maps_otherwise(s) ? "true" : "false", held);
	buf_json(json, str_of(held ? held_text : ""));
	write_outbox(peer_outbox(session_peer(s)), now_ms, json);
}
