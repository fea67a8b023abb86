#include "bus/outgoing.h"

enum err outgoing_build(const struct store_row *row, struct str suffix, struct outgoing *ret_outgoing)
{
	struct str id = row->key.n ? row->key : row->id;
	struct buf b = { 0 };
	size_t name_at = row->source.n;
	size_t id_at = name_at + row->name.n;
	size_t event_id_at = id_at + id.n + suffix.n;
	size_t payload_at = event_id_at + row->id.n;

	buf_str(&b, row->source);
	buf_str(&b, row->name);
	buf_str(&b, id);
	buf_str(&b, suffix);
	buf_str(&b, row->id);
	event_write_json(row->meta, row->data_kind, row->data, EVENT_JSON_UPSTREAM, &b);
	if (b.err) {
		enum err err = b.err;

		buf_release(&b);
		return err;
	}
	*ret_outgoing = (struct outgoing){ .block = b };
	ret_outgoing->publish.source = (struct str){ b.p, name_at };
	ret_outgoing->publish.name = (struct str){ b.p + name_at, row->name.n };
	ret_outgoing->publish.msg_id = (struct str){ b.p + id_at, event_id_at - id_at };
	ret_outgoing->event_id = (struct str){ b.p + event_id_at, row->id.n };
	ret_outgoing->publish.payload = (struct str){ b.p + payload_at, b.n - payload_at };
	return E_OK;
}

void outgoing_release(struct outgoing *o)
{
	buf_release(&o->block);
}
