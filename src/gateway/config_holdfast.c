#include <assert.h>

#include "base/mem.h"
#include "config/value.h"
#include "gateway/config_read.h"

static const char *const acks[] = { [ACK_SPOOL] = "spool", [ACK_BUS] = "bus", NULL };
static const char *const compats[] = { "improved", "strict", NULL };

#define AT(member) offsetof(struct route_options, member)

/* clang-format off */
static const struct field option_rows[] = {
	{ .key = "ack", .type = FIELD_WORD, .offset = AT(ack), .dflt = UINT64_MAX, .words = acks,
	  .dflt_text = "spool with a dataDir, else bus",
	  .meaning = "When 200 is answered: `spool` once the event is on this machine's disk, `bus` once the bus has acknowledged it." },
	{ .key = "deadline", .type = FIELD_TIME, .offset = AT(deadline_ms), .min = 100, .max = 60000,
	  .dflt_text = "2s; of a provider's source 80 % of what the provider waits",
	  .meaning = "A request is answered within this time." },
	{ .key = "rate", .type = FIELD_COUNT, .offset = AT(rate), .max = UINT32_MAX, .unit = "a minute",
	  .meaning = "Requests that one endpoint takes; more answer 429. 0 is no limit." },
	{ .key = "burst", .type = FIELD_COUNT, .offset = AT(burst), .max = UINT32_MAX,
	  .meaning = "Requests at once, within `rate`; 0 is as many as a minute has." },
	{ .key = "compat", .type = FIELD_WORD, .offset = AT(compat), .words = compats,
	  .meaning = "`strict` answers with the status codes of the Argo Events gateway where ours are better chosen." },
	{ .key = "maskSecrets", .type = FIELD_BOOL, .offset = AT(mask_secrets), .dflt = true,
	  .meaning = "Tokens and signatures in header fields are masked in the event, as `Authorization` always is; `false` publishes them as the Argo Events gateway does." },
	{ .key = "secretOverlap", .type = FIELD_TIME, .offset = AT(secret_overlap_ms), .max = 2592000000ull, .dflt = 86400000,
	  .meaning = "After the file of a provider's secret changes, the secret before it is accepted for this time as well; 0 refuses it at once." },
};
#undef AT
#define AT(member) offsetof(struct process_options, member)

static const struct field admin_rows[] = {
	{ .key = "address", .type = FIELD_STRING, .offset = AT(admin.address) - AT(admin), .dflt_text = ":7777",
	  .meaning = "Where metrics, health and the events API are served: `host:port`, without a host on all addresses." },
	{ .key = "tokenFile", .type = FIELD_PATH, .offset = AT(admin.token_file) - AT(admin), .dflt_text = "none: the events API is off",
	  .meaning = "A file with the bearer token of the events API." },
};
static const struct field_table admin_table = { .rows = admin_rows, .count = ARRAY_LEN(admin_rows) };

static const struct field limit_rows[] = {
#define X(field, name, kind, least, most, normal, units, text)                                     \
	{ .key = name, .type = FIELD_##kind, .offset = offsetof(struct gateway_limits, field),     \
	  .min = least, .max = most, .dflt = normal, .unit = units, .meaning = text },
#include "gateway/gateway_limits.h"
#undef X
};
static const struct field_table limit_table = { .rows = limit_rows, .count = ARRAY_LEN(limit_rows) };

static const struct field process_rows[] = {
	{ .key = "dataDir", .type = FIELD_PATH, .offset = AT(data_dir),
	  .meaning = "Directory of the store; made when it is missing. The embedded bus and `ack: spool` need it." },
	{ .key = "secretsDir", .type = FIELD_PATH, .offset = AT(secrets_dir), .dflt_text = "/argo-events/secrets",
	  .meaning = "Where secrets lie, as `<secretsDir>/<name>/<key>`." },
	{ .key = "strict", .type = FIELD_BOOL, .offset = AT(strict),
	  .meaning = "Refuse a bus that acknowledges before its disk has the event, or does not say." },
	{ .key = "admin", .type = FIELD_TABLE, .offset = AT(admin), .table = &admin_table },
	{ .key = "limits", .type = FIELD_TABLE, .offset = AT(limits), .table = &limit_table },
};

static const struct field own_rows[] = {
	{ .key = "cloudevents", .type = FIELD_ANY, .dflt_text = "none",
	  .meaning = "Events of the `cloudevents` source, one under each name." },
};
/* clang-format on */

const struct field_table config_option_table = { .rows = option_rows, .count = ARRAY_LEN(option_rows) };
const struct field_table config_process_table = { .rows = process_rows, .count = ARRAY_LEN(process_rows) };
const struct field_table config_own_table = { .rows = own_rows, .count = ARRAY_LEN(own_rows) };

static const struct said *first_said(const struct config_reader *r, const struct field *row)
{
	for (size_t i = 0; i < r->said_count; i++)
		if (r->said[i].row == row)
			return &r->said[i];
	return NULL;
}

/* Take over what `map` says; what was said otherwise before is a problem. */
static void unite(struct config_reader *r, const struct doc_file *file, const struct field_table *table,
		  const struct node *map, char *from, char *into)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *row = &table->rows[i];
		const struct node *n = node_get(map, row->key);
		const struct said *first = first_said(r, row);

		if (node_is_null(n))
			continue;
		if (row->type == FIELD_TABLE) {
			unite(r, file, row->table, n, from + row->offset, into + row->offset);
		} else if (!first) {
			assert(r->said_count < ARRAY_LEN(r->said));
			r->said[r->said_count++] = (struct said){ row, file, n };
			field_move(row, from + row->offset, into + row->offset);
		} else if (!field_same(row, from + row->offset, into + row->offset)) {
			problem_at(r->problems, file, n, "say it once, or the same everywhere",
				   "holds for the whole process, and %s:%u says otherwise", first->file->path,
				   first->node->line);
		}
	}
}

static bool read_one(struct config_reader *r, struct manifest *m)
{
	struct process_options process = { 0 };
	struct fields_part parts[] = { { &config_process_table, &process },
				       { &config_option_table, &m->options },
				       { &config_own_table, &process } }; /* which sets nothing */
	struct fields_ctx ctx = config_own_ctx(r, m->file);
	enum err err;

	fields_defaults(&config_process_table, &process); /* what is said wrongly is as if it were not said */
	fields_defaults(&config_option_table, &m->options);
	err = fields_read_parts(&ctx, parts, ARRAY_LEN(parts), m->holdfast, m->root);
	if (err != E_NOMEM)
		unite(r, m->file, &config_process_table, m->holdfast, (char *)&process, (char *)&r->process);
	fields_release(&config_process_table, &process);
	return err != E_NOMEM;
}

/* Where the admin address was said, for a report. */
static void report_address(struct config_reader *r)
{
	const struct said *at = first_said(r, &admin_rows[0]);

	assert(at); /* the default is good */
	problem_at(r->problems, at->file, at->node, "write host:port with an address in digits, or :port",
		   "\"%.60s\" is not an address", r->process.admin.address);
}

static bool set_admin(struct config_reader *r)
{
	struct str host = { 0 };

	if (!value_address(str_of(r->process.admin.address), &host, &r->config->admin_port))
		report_address(r);
	r->config->admin_host = str_dup(host);
	r->config->admin_token_file = TAKE(r->process.admin.token_file);
	return r->config->admin_host != NULL;
}

static bool set_text(char **text, const char *otherwise)
{
	if (!*text)
		*text = str_dup(str_of(otherwise));
	return *text != NULL;
}

bool config_read_holdfast(struct config_reader *r)
{
	fields_defaults(&config_process_table, &r->process);
	for (size_t i = 0; i < r->sources.count; i++)
		if (!read_one(r, &r->sources.items[i]))
			return false;
	if (!set_text(&r->process.secrets_dir, "/argo-events/secrets") || !set_text(&r->process.admin.address, ":7777"))
		return false;
	r->config->data_dir = TAKE(r->process.data_dir);
	r->config->limits = r->process.limits;
	return set_admin(r);
}
