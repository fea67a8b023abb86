#include "store/row_json.h"

#include "base/clock.h"

void store_row_json(const struct store_row *row, struct buf *ret_json)
{
	char stored[CLOCK_RFC3339_MAX];
	size_t stored_n = clock_rfc3339(row->stored_ms * 1000000, stored);

	buf_lit(ret_json, "{\"position\":");
	buf_u64(ret_json, row->pos);
	buf_lit(ret_json, ",\"stored\":\"");
	buf_add(ret_json, stored, stored_n);
	buf_lit(ret_json, "\",\"event\":");
	event_write_json(row->meta, row->data_kind, row->data, EVENT_JSON_NATIVE, ret_json);
	buf_char(ret_json, '}');
}
