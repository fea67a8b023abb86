#include "wire/resync.h"

#include "base/base64.h"
#include "base/mem.h"
#include "event/json_text.h"
#include "wire/members.h"

/* The next member; `*first` says whether a comma comes before it. */
static void put_key(const char *key, bool *first, struct buf *b)
{
	buf_char(b, *first ? '{' : ',');
	*first = false;
	json_write_string(b, str_of(key));
	buf_char(b, ':');
}

static void put_text(const char *key, struct str text, bool *first, struct buf *b)
{
	put_key(key, first, b);
	json_write_string(b, text);
}

/* Go writes []byte in base64, and null for none. */
static void put_checksum(struct str checksum, bool *first, struct buf *b)
{
	put_key("checksum", first, b);
	if (checksum.n == 0) {
		buf_lit(b, "null");
		return;
	}
	buf_char(b, '"');
	base64_write(checksum, b);
	buf_char(b, '"');
}

static void put_resource(const struct wire_resync *r, bool *first, struct buf *b)
{
	put_text("name", r->name, first, b);
	if (r->namespace.n)
		put_text("namespace", r->namespace, first, b);
	put_text("uid", r->uid, first, b);
	put_text("kind", r->kind, first, b);
}

void wire_resync_write(enum wire_type type, const struct wire_resync *r, struct buf *ret_json)
{
	bool first = true;

	if (type == WIRE_SYNCED_RESOURCE || type == WIRE_REQUEST_UPDATE)
		put_resource(r, &first, ret_json);
	if (type == WIRE_SYNCED_LIST_REQUEST || type == WIRE_REQUEST_UPDATE)
		put_checksum(r->checksum, &first, ret_json);
	if (type == WIRE_SYNCED_LIST_REQUEST && r->count.n)
		put_text("count", r->count, &first, ret_json);
	if (first)
		buf_char(ret_json, '{');
	buf_char(ret_json, '}');
}

static enum err read_checksum(struct str text, struct buf *arena, struct str *ret_bytes, struct why *why)
{
	size_t from = arena->n;

	if (!base64_read(text, arena))
		return why_set(why, E_MALFORMED, "checksum is no base64");
	*ret_bytes = str_sub(buf_view(arena), from, arena->n);
	return arena->err;
}

enum err wire_resync_read(struct str json, struct buf *arena, struct wire_resync *ret, struct why *why)
{
	struct wire_resync r;
	struct str object, checksum;
	const struct member members[] = {
		{ "kind", &r.kind }, { "namespace", &r.namespace }, { "name", &r.name },
		{ "uid", &r.uid },   { "checksum", &checksum },     { "count", &r.count },
	};
	enum err err = members_open(json, arena, &object, why);

	if (err == E_OK)
		err = members_read(object, members, ARRAY_LEN(members), arena, why);
	if (err == E_OK)
		err = read_checksum(checksum, arena, &r.checksum, why);
	if (err == E_OK)
		*ret = r;
	return err;
}

void wire_failure_write(const struct wire_failure *f, struct buf *ret_json)
{
	bool first = true;

	put_text("resourceName", f->name, &first, ret_json);
	put_text("resourceNamespace", f->namespace, &first, ret_json);
	put_text("message", f->message, &first, ret_json);
	buf_char(ret_json, '}');
}

enum err wire_failure_read(struct str json, struct buf *arena, struct wire_failure *ret, struct why *why)
{
	struct wire_failure f;
	struct str object;
	const struct member members[] = {
		{ "resourceName", &f.name },
		{ "resourceNamespace", &f.namespace },
		{ "message", &f.message },
	};
	enum err err = members_open(json, arena, &object, why);

	if (err == E_OK)
		err = members_read(object, members, ARRAY_LEN(members), arena, why);
	if (err == E_OK)
		*ret = f;
	return err;
}
