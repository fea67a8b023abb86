#include "cli/sync_text.h"

#include <inttypes.h>
#include <json-c/json.h>

#include "auth/agent.h"
#include "base/mem.h"
#include "cli/rows.h"
#include "sync/session.h"

#define NAME_COLUMNS   (AGENT_NAME_MAX + 4) /* row_printable() keeps four for what it escapes */
#define REASON_COLUMNS 200
#define CONTESTED      3         /* times that a stream gave way to a newer one */
#define WEEK_MS        604800000 /* as the alert's */

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

enum column_kind { MODE, CONNECTED, NUMBER, TIME };

/* In the order of the line; `rank`: who is left out first on a narrow terminal, the highest. Numbers stand right. */
static const struct column {
	const char *title;
	size_t columns;
	unsigned rank;
	enum column_kind kind;
	const char *key;
} line[] = {
	{ "mode", 10, 4, MODE, "mode" },          { "connected", 9, 1, CONNECTED, "connected" },
	{ "objects", 7, 6, NUMBER, "objects" },   { "behind", 7, 2, NUMBER, "behind" },
	{ "waiting", 7, 5, NUMBER, "waiting" },   { "in flight", 9, 7, NUMBER, "in_flight" },
	{ "oldest", 8, 3, TIME, "oldest_ms" },    { "re-sent", 7, 9, NUMBER, "resent" },
	{ "lag p50", 8, 10, TIME, "lag_p50_ms" }, { "lag p99", 8, 8, TIME, "lag_p99_ms" },
	{ "applied", 7, 11, NUMBER, "applied" },
};

struct layout {
	size_t name_columns;
	unsigned rank; /* higher ones are left out */
	int64_t now_ms;
};

static const struct column *of_rank(unsigned rank)
{
	for (size_t i = 0; i < ARRAY_LEN(line); i++)
		if (line[i].rank == rank)
			return &line[i];
	return NULL;
}

/* `columns` of the terminal; 0: there is none. Names are never cut: a long one moves its line. */
static struct layout lay_out(size_t widest, size_t columns, int64_t now_ms)
{
	struct layout l = { .name_columns = columns && widest > columns / 2 ? columns / 2 : widest,
			    .rank = columns ? 0 : ARRAY_LEN(line),
			    .now_ms = now_ms };
	size_t used = l.name_columns;
	const struct column *next;

	while (columns && (next = of_rank(l.rank + 1)) && (used += 2 + next->columns) <= columns)
		l.rank++;
	return l;
}

static void add_title_of(const struct column *c, struct buf *b)
{
	buf_addf(b, c->kind == NUMBER ? "  %*s" : "  %-*s", (int)c->columns, c->title);
}

static void add_value(const struct column *c, json_object *peer, int64_t now_ms, struct buf *b)
{
	struct str mode = text_of(peer, "mode");
	bool connected = json_object_get_boolean(member(peer, "connected"));
	size_t begin;

	buf_lit(b, "  ");
	begin = b->n;
	if (c->kind == MODE)
		buf_str(b, mode.n ? mode : STR("not yet"));
	else if (c->kind == CONNECTED && !connected)
		buf_lit(b, "no");
	else if (c->kind == CONNECTED)
		add_time(b, now_ms - number_of(peer, "since_ms"));
	else if (c->kind == TIME)
		add_time(b, number_of(peer, c->key));
	else
		buf_addf(b, "%*" PRId64, (int)c->columns, number_of(peer, c->key));
	pad(b, begin, c->columns);
}

static void add_head(const struct layout *l, struct buf *b)
{
	size_t begin = b->n;

	buf_lit(b, "peer");
	pad(b, begin, l->name_columns);
	for (size_t i = 0; i < ARRAY_LEN(line); i++)
		if (line[i].rank <= l->rank)
			add_title_of(&line[i], b);
	buf_char(b, '\n');
}

static void add_line(json_object *peer, const struct layout *l, struct buf *b)
{
	size_t begin = b->n;

	row_printable(b, text_of(peer, "name"), NAME_COLUMNS);
	pad(b, begin, l->name_columns);
	for (size_t i = 0; i < ARRAY_LEN(line); i++)
		if (line[i].rank <= l->rank)
			add_value(&line[i], peer, l->now_ms, b);
	buf_char(b, '\n');
}

/* ---- what needs attention ---------------------------------------------------------------------------------------- */

static void add_held(json_object *peer, struct buf *b)
{
	struct str name = text_of(peer, "name");
	int64_t held = number_of(peer, "held");

	if (held == 0)
		return;
	buf_addf(b, "  %" PRId64 " delete%s held: ", held, held == 1 ? " is" : "s are");
	row_printable(b, text_of(peer, "held_reason"), REASON_COLUMNS);
	buf_lit(b, "\n    to let them go: holdfast release ");
	row_printable(b, name, NAME_COLUMNS);
	buf_char(b, '\n');
}

/* Where and why the last attempt to connect failed; a principal does not know. */
static void add_failure(json_object *peer, struct buf *b)
{
	struct str failure = text_of(peer, "failure");

	if (failure.n == 0)
		return;
	buf_lit(b, "  no connection: ");
	row_printable(b, failure, REASON_COLUMNS);
	buf_char(b, '\n');
}

static bool is_contested(json_object *peer)
{
	return number_of(peer, "replaced") >= CONTESTED;
}

static void add_contested(json_object *peer, struct buf *b)
{
	if (is_contested(peer))
		buf_addf(b,
			 "  a newer stream took its place %" PRId64
			 " times lately: have two agents this name, or is its network cut?\n",
			 number_of(peer, "replaced"));
}

static void add_full(json_object *peer, struct buf *b)
{
	if (json_object_get_boolean(member(peer, "full")))
		buf_addf(b,
			 "  it has more than it may here, and the rest waits there (%" PRId64
			 " refused): --peer-objects, --peer-bytes, --all-peers-bytes\n",
			 number_of(peer, "no_room"));
}

static void add_mapping(json_object *peer, struct buf *b)
{
	if (json_object_get_boolean(member(peer, "maps_otherwise")))
		buf_lit(b, "  " SESSION_MAPS_OTHERWISE "\n");
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
	if (n)
		buf_lit(b, "    each is sent again when it changes, or when this process restarts\n");
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

static size_t widest(json_object *peers)
{
	size_t columns = strlen("peer");

	for (size_t i = 0; i < json_object_array_length(peers); i++) {
		size_t n = text_of(json_object_array_get_idx(peers, i), "name").n;

		if (n > columns)
			columns = n > AGENT_NAME_MAX ? AGENT_NAME_MAX : n;
	}
	return columns;
}

/* Who needs a person comes first, then who is away. */
static int urgency(json_object *peer)
{
	if (number_of(peer, "held") || number_of(peer, "quarantined_count") ||
	    json_object_get_boolean(member(peer, "maps_otherwise")) || json_object_get_boolean(member(peer, "full")) ||
	    is_contested(peer))
		return 0;
	return json_object_get_boolean(member(peer, "connected")) ? 2 : 1;
}

static int compare(const void *a, const void *b)
{
	json_object *first = *(json_object *const *)a, *second = *(json_object *const *)b;
	int by_urgency = urgency(first) - urgency(second);

	return by_urgency ? by_urgency : str_cmp(text_of(first, "name"), text_of(second, "name"));
}

static void add_peers(json_object *peers, size_t columns, int64_t now_ms, struct buf *b)
{
	struct layout l = lay_out(widest(peers), columns, now_ms);

	if (json_object_array_length(peers) == 0) {
		buf_lit(b, "no agent is known yet\n");
		return;
	}
	json_object_array_sort(peers, compare);
	add_head(&l, b);
	for (size_t i = 0; i < json_object_array_length(peers); i++) {
		json_object *peer = json_object_array_get_idx(peers, i);

		add_line(peer, &l, b);
		add_failure(peer, b);
		add_contested(peer, b);
		add_mapping(peer, b);
		add_full(peer, b);
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

static void add_expiry(json_object *self, int64_t now_ms, struct buf *b)
{
	int64_t expires_ms = number_of(self, "certificate_expires_ms"), left_ms = expires_ms - now_ms;

	if (expires_ms == 0 || left_ms > WEEK_MS)
		return;
	buf_addf(b, "the certificate of this end %s ", left_ms > 0 ? "expires in" : "has expired for");
	add_time(b, left_ms > 0 ? left_ms : -left_ms);
	buf_lit(b, ": renew it (holdfast pki issue --renew), then SIGHUP\n");
}

static void add_turned_away(json_object *self, struct buf *b)
{
	json_object *one = member(self, "turned_away");

	if (!one)
		return;
	buf_lit(b, "turned away ");
	add_time(b, number_of(one, "age_ms"));
	buf_lit(b, " ago: ");
	row_printable(b, text_of(one, "who"), REASON_COLUMNS);
	buf_char(b, '\n');
}

/* What is wrong at this end itself; `self` is what the document says of it. */
static void add_troubles(json_object *self, int64_t now_ms, struct buf *b)
{
	int64_t problems = number_of(self, "problems");

	if (problems)
		buf_addf(b, "the backend has %" PRId64 " %s, named in the log\n", problems,
			 problems == 1 ? "problem" : "problems");
	if (json_object_get_boolean(member(self, "ledger_failed")))
		buf_lit(b, "the ledger cannot be written, and nothing is confirmed until it can: is the disk full?\n");
	add_expiry(self, now_ms, b);
	add_turned_away(self, b);
}

static void add_counts(json_object *principal, json_object *agents, struct buf *b)
{
	size_t n = json_object_array_length(agents), connected = 0;
	int64_t objects = number_of(principal, "objects");

	for (size_t i = 0; i < n; i++)
		connected += json_object_get_boolean(member(json_object_array_get_idx(agents, i), "connected")) != 0;
	buf_addf(b, "principal, %" PRId64 " object%s, %zu of %zu agents connected", objects, objects == 1 ? "" : "s",
		 connected, n);
}

static void add_title(json_object *document, int64_t now_ms, struct buf *b)
{
	json_object *agent = member(document, "agent"), *principal = member(document, "principal");
	json_object *self = agent ? agent : principal;

	if (agent) {
		struct str name = text_of(agent, "name");

		buf_lit(b, "agent ");
		row_printable(b, name.n ? name : STR("(not let in yet)"), NAME_COLUMNS);
		buf_addf(b, ", %.*s, principal ", STR_ARG(text_of(agent, "mode")));
		row_printable(b, text_of(principal, "address"), REASON_COLUMNS);
		buf_addf(b, " port %" PRId64, number_of(principal, "port"));
	} else {
		add_counts(principal, member(document, "agents"), b);
	}
	buf_str(b, json_object_get_boolean(member(document, "ready")) ||
				   json_object_get_boolean(member(self, "ledger_failed"))
			   ? STR("\n")
			   : STR("; the backend has not reported all yet\n"));
	add_troubles(self, now_ms, b);
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

enum err sync_text(struct str json, size_t columns, int64_t now_ms, struct buf *ret_text)
{
	json_object *document = parse(json);
	json_object *one = NULL;
	enum err err = E_MALFORMED;

	if (is_principal(document)) {
		add_title(document, now_ms, ret_text);
		add_peers(member(document, "agents"), columns, now_ms, ret_text);
		err = ret_text->err;
	} else if (is_agent(document) && (one = json_object_new_array())) {
		(void)json_object_array_add(one, json_object_get(member(document, "principal")));
		add_title(document, now_ms, ret_text);
		add_peers(one, columns, now_ms, ret_text);
		err = ret_text->err;
	}
	json_object_put(one);
	json_object_put(document);
	return err;
}
