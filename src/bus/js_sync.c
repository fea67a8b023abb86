#include "bus/js_sync.h"

#include <json-c/json.h>
#include <limits.h>

#include "base/mem.h"
#include "bus/monitor.h"

#define ANSWER_MS  500
#define REPORT_MAX (1u << 20)

static void free_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static void free_json(struct json_object **o)
{
	json_object_put(*o);
}

static struct json_object *member(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *value;

	if (!o || !json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &value))
		return NULL;
	return json_object_is_type(value, type) ? value : NULL;
}

static enum bus_sync read_report(struct json_object *report)
{
	struct json_object *data = member(report, "data", json_type_object);
	struct json_object *config = member(data ? data : report, "config", json_type_object);
	struct json_object *always = member(config, "sync_always", json_type_boolean);
	struct json_object *interval = member(config, "sync_interval", json_type_int);

	if (always && json_object_get_boolean(always))
		return BUS_SYNC_ALWAYS;
	return interval && json_object_get_int64(interval) > 0 ? BUS_SYNC_LATER : BUS_SYNC_UNKNOWN;
}

enum bus_sync js_sync_parse(struct str json)
{
	CLEANUP(free_tokener) struct json_tokener *t = json_tokener_new();
	CLEANUP(free_json) struct json_object *o = NULL;

	if (t && json.n && json.n < INT_MAX)
		o = json_tokener_parse_ex(t, json.p, (int)json.n);
	return read_report(o);
}

static enum bus_sync ask_server(natsConnection *nc)
{
	natsMsg *answer = NULL;
	enum bus_sync sync;

	if (natsConnection_RequestString(&answer, nc, JS_SYNC_SUBJECT, "{}", ANSWER_MS))
		return BUS_SYNC_UNKNOWN;
	sync = js_sync_parse((struct str){ natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer) });
	natsMsg_Destroy(answer);
	return sync;
}

static enum bus_sync ask_monitor(const char *url)
{
	CLEANUP(buf_release) struct buf body = { .max = REPORT_MAX };

	if (monitor_get(url, "/jsz", &body))
		return BUS_SYNC_UNKNOWN;
	return js_sync_parse(buf_view(&body));
}

enum bus_sync js_sync_probe(natsConnection *nc, const char *monitor_url)
{
	enum bus_sync sync = ask_server(nc);

	return sync == BUS_SYNC_UNKNOWN && monitor_url ? ask_monitor(monitor_url) : sync;
}

const char *js_sync_name(enum bus_sync sync)
{
	return sync == BUS_SYNC_ALWAYS ? "always" : sync == BUS_SYNC_LATER ? "later" : "unknown";
}
