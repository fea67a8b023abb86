#include "wire/ids.h"

/* Of what can go while a state of the same version is in flight, or right behind it; else nothing. */
static struct str word_of(enum wire_type type)
{
	enum delivery_type delivered = wire_delivered_as(type);

	if (delivered != DELIVERY_COMMAND && delivered != DELIVERY_DELETE)
		return (struct str){ 0 };
	return str_of(wire_type_name(type));
}

void wire_resource_id(struct str name, struct str uid, struct buf *ret_id)
{
	buf_str(ret_id, name);
	buf_char(ret_id, '_');
	buf_str(ret_id, uid);
}

void wire_event_id(enum wire_type type, struct str name, struct str uid, struct str version, struct buf *ret_id)
{
	struct str word = word_of(type);

	wire_resource_id(name, uid, ret_id);
	buf_char(ret_id, '_');
	buf_str(ret_id, version);
	if (word.n == 0)
		return;
	buf_char(ret_id, '.');
	buf_str(ret_id, word);
}

/* Cut `*text` at its last "_"; returns what stands behind it. */
static bool cut_last(struct str *text, struct str *ret_behind)
{
	size_t at = text->n;

	while (at > 0 && text->p[at - 1] != '_')
		at--;
	if (at == 0)
		return false;
	*ret_behind = (struct str){ text->p + at, text->n - at };
	text->n = at - 1;
	return true;
}

bool wire_resource_id_parse(struct str id, struct wire_id *ret_id)
{
	struct wire_id parts = { .name = id };

	if (!cut_last(&parts.name, &parts.uid) || parts.name.n == 0)
		return false;
	*ret_id = parts;
	return true;
}

bool wire_event_id_parse(struct str id, struct wire_id *ret_id)
{
	struct wire_id parts;
	struct str version;

	if (!cut_last(&id, &version) || !wire_resource_id_parse(id, &parts))
		return false;
	parts.version = str_cut(&version, '.');
	parts.word = version;
	*ret_id = parts;
	return true;
}
