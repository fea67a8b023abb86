#include "cli/sync_text.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/rows.h"

#define NAME_COLUMNS   63
#define REASON_COLUMNS 200

static json_object *member(json_object *o, const char *key)
{
	json_object *value = NULL;

	(void)json_object_object_get_ex(o, key, &value);
	return value;
}

static struct str text_of(json_object *o, const char *key)
{
	json_object *value = member(o, key);

	return value && json_object_is_type(value, json_type_string)
		       ? (struct str){ json_object_get_string(value), (size_t)json_object_get_string_len(value) }
		       : STR("");
}

static int64_t number_of(json_object *o, const char *key)
{
	return json_object_get_int64(member(o, key));
}

/* ---- columns ----------------------------------------------------------------------------------------------------- */

/* 850 ms, 42 s, 5 m, 3 h, 9 d: the largest unit that fits, at most eight columns. */
static void add_time(struct buf *b, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;

	while (i < ARRAY_LEN(units) - 1 && ms < 2 * units[i].ms)
		i++;
	buf_addf(b, "%" PRId64 " %s", ms < 0 ? 0 : ms / units[i].ms, units[i].unit);
}

/* Fills up with spaces to `columns` since `begin`. */
static void pad(struct buf *b, size_t begin, size_t columns)
{
	while (b->err == E_OK && b->n - begin < columns)
		buf_char(b, ' ');
}

static void add_time_column(struct buf *b, int64_t ms, size_t columns)
{
	size_t begin = b->n;

	add_time(b, ms);
	pad(b, begin, columns);
}

static void add_head(size_t name_columns, struct buf *b)
{
	size_t begin = b->n;

	buf_lit(b, "peer");
	pad(b, begin, name_columns);
	buf_lit(b,
		"  mode        connected  objects   behind  waiting  in flight  oldest    re-sent  lag p50   lag p99   "
		"applied\n");
}

static void add_connected(json_object *peer, int64_t now_ms, struct buf *b)
{
	if (json_object_get_boolean(member(peer, "connected")))
		add_time_column(b, now_ms - number_of(peer, "since_ms"), 9);
	else
		buf_lit(b, "no       ");
}

static void add_line(json_object *peer, size_t name_columns, int64_t now_ms, struct buf *b)
{
	struct str mode = text_of(peer, "mode");
	size_t begin = b->n;

	row_printable(b, text_of(peer, "name"), NAME_COLUMNS);
	pad(b, begin, name_columns);
	buf_addf(b, "  %-10.*s  ", STR_ARG(mode.n ? mode : STR("not yet")));
	add_connected(peer, now_ms, b);
	buf_addf(b, "  %7" PRId64 "  %7" PRId64 "  %7" PRId64 "  %9" PRId64 "  ", number_of(peer, "objects"),
		 number_of(peer, "behind"), number_of(peer, "waiting"), number_of(peer, "in_flight"));
	add_time_column(b, number_of(peer, "oldest_ms"), 8);
	buf_addf(b, "  %7" PRId64 "  ", number_of(peer, "resent"));
	add_time_column(b, number_of(peer, "lag_p50_ms"), 8);
	buf_lit(b, "  ");
	add_time_column(b, number_of(peer, "lag_p99_ms"), 8);
	buf_addf(b, "  %7" PRId64 "\n", number_of(peer, "applied"));
}

/* ---- what needs attention ---------------------------------------------------------------------------------------- */

static void add_held(json_object *peer, struct buf *b)
{
	struct str name = text_of(peer, "name");
	int64_t held = number_of(peer, "held");

	if (held == 0)
		return;
	buf_addf(b, "  %" PRId64 " deletes are held: ", held);
	row_printable(b, text_of(peer, "held_reason"), REASON_COLUMNS);
	buf_lit(b, "\n    to let them go: holdfast release ");
	row_printable(b, name, NAME_COLUMNS);
	buf_char(b, '\n');
}

static void add_quarantined(json_object *peer, struct buf *b)
{
	json_object *list = member(peer, "quarantined");
	size_t n = list ? json_object_array_length(list) : 0;
	int64_t all = number_of(peer, "quarantined_count");

	for (size_t i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(list, i);

		buf_lit(b, "  rejected: ");
		row_printable(b, text_of(one, "resource_id"), REASON_COLUMNS);
		buf_addf(b, " (%.*s, since ", STR_ARG(text_of(one, "type")));
		add_time(b, number_of(one, "age_ms"));
		buf_lit(b, "): ");
		row_printable(b, text_of(one, "reason"), REASON_COLUMNS);
		buf_char(b, '\n');
	}
	if (all > (int64_t)n)
		buf_addf(b, "  and %" PRId64 " more that were rejected\n", all - (int64_t)n);
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

static size_t widest(json_object *peers)
{
	size_t columns = strlen("peer");

	for (size_t i = 0; i < json_object_array_length(peers); i++) {
		size_t n = text_of(json_object_array_get_idx(peers, i), "name").n;

		if (n > columns)
			columns = n > NAME_COLUMNS ? NAME_COLUMNS : n;
	}
	return columns;
}

static void add_peers(json_object *peers, int64_t now_ms, struct buf *b)
{
	size_t columns = widest(peers);

	if (json_object_array_length(peers) == 0) {
		buf_lit(b, "no agent is known yet\n");
		return;
	}
	add_head(columns, b);
	for (size_t i = 0; i < json_object_array_length(peers); i++) {
		json_object *peer = json_object_array_get_idx(peers, i);

		add_line(peer, columns, now_ms, b);
		add_held(peer, b);
		add_quarantined(peer, b);
	}
}

/* Applications that are nobody's: a line for each reason. */
static void add_unowned(json_object *principal, struct buf *b)
{
	json_object *list = member(principal, "unowned");
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(list, i);
		int64_t count = number_of(one, "count");

		buf_addf(b,
			 count == 1 ? "%" PRId64 " application belongs to no agent: it "
				    : "%" PRId64 " applications belong to no agent: each ",
			 count);
		row_printable(b, text_of(one, "reason"), REASON_COLUMNS);
		buf_char(b, '\n');
	}
}

static void add_title(json_object *document, struct buf *b)
{
	json_object *agent = member(document, "agent"), *principal = member(document, "principal");

	if (agent) {
		struct str name = text_of(agent, "name");

		buf_lit(b, "agent ");
		row_printable(b, name.n ? name : STR("(not let in yet)"), NAME_COLUMNS);
		buf_addf(b, ", %.*s, principal ", STR_ARG(text_of(agent, "mode")));
		row_printable(b, text_of(principal, "address"), REASON_COLUMNS);
		buf_addf(b, " port %" PRId64, number_of(principal, "port"));
	} else {
		buf_addf(b, "principal, %" PRId64 " objects", number_of(principal, "objects"));
	}
	buf_str(b, json_object_get_boolean(member(document, "ready"))
			   ? STR("\n")
			   : STR("; the backend has not reported all yet\n"));
	add_unowned(principal, b);
	buf_char(b, '\n');
}

static json_object *parse(struct str json)
{
	json_tokener *tokener = json_tokener_new();
	json_object *o = tokener && json.n <= INT32_MAX ? json_tokener_parse_ex(tokener, json.p, (int)json.n) : NULL;

	json_tokener_free(tokener);
	return o;
}

static bool is_agent(json_object *document)
{
	return json_object_is_type(member(document, "agent"), json_type_object);
}

static bool is_principal(json_object *document)
{
	return json_object_is_type(member(document, "agents"), json_type_array);
}

bool sync_text_is(struct str json)
{
	json_object *document = parse(json);
	bool is = is_agent(document) || is_principal(document);

	json_object_put(document);
	return is;
}

enum err sync_text(struct str json, int64_t now_ms, struct buf *ret_text)
{
	json_object *document = parse(json);
	json_object *one = NULL;
	enum err err = E_MALFORMED;

	if (is_principal(document)) {
		add_title(document, ret_text);
		add_peers(member(document, "agents"), now_ms, ret_text);
		err = ret_text->err;
	} else if (is_agent(document) && (one = json_object_new_array())) {
		(void)json_object_array_add(one, json_object_get(member(document, "principal")));
		add_title(document, ret_text);
		add_peers(one, now_ms, ret_text);
		err = ret_text->err;
	}
	json_object_put(one);
	json_object_put(document);
	return err;
}
