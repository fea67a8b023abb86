#include "bus/puback.h"

#include <json-c/json.h>
#include <limits.h>

#include "base/mem.h"

/* nats-server server/errors.json; every other code is worth another try. */
#define ERR_STREAM_NOT_FOUND    10059
#define ERR_MESSAGE_EXCEEDS_MAX 10054
#define ERR_HEADER_EXCEEDS_MAX  10097

static bool eat(struct str *rest, struct str word)
{
	while (rest->n && rest->p[0] == ' ')
		*rest = str_sub(*rest, 1, rest->n);
	if (!str_starts(*rest, word))
		return false;
	*rest = str_sub(*rest, word.n, rest->n);
	return true;
}

static bool eat_number(struct str *rest, uint64_t *ret_value)
{
	size_t n = 0;

	while (rest->n && rest->p[0] == ' ')
		*rest = str_sub(*rest, 1, rest->n);
	while (n < rest->n && rest->p[n] >= '0' && rest->p[n] <= '9')
		n++;
	if (!str_to_u64(str_sub(*rest, 0, n), UINT64_MAX, ret_value))
		return false;
	*rest = str_sub(*rest, n, rest->n);
	return true;
}

/* The two forms a server writes for a stored message; anything else goes through the JSON library. */
static bool parse_usual(struct str json, struct puback *ack)
{
	struct str rest = json;

	if (!eat(&rest, STR("{\"stream\":\"")))
		return false;
	size_t name = str_find(rest, '"');

	if (str_find(str_sub(rest, 0, name), '\\') < name || name == 0)
		return false;
	rest = str_sub(rest, name, rest.n);
	if (!eat(&rest, STR("\",")) || !eat(&rest, STR("\"seq\":")) || !eat_number(&rest, &ack->seq))
		return false;
	ack->duplicate = eat(&rest, STR(",\"duplicate\":")) && eat(&rest, STR("true"));
	return eat(&rest, STR("}")) && rest.n == 0 && ack->seq > 0;
}

static void free_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static void free_json(struct json_object **o)
{
	json_object_put(*o);
}

static int64_t get_int(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) || !json_object_is_type(value, json_type_int))
		return 0; /* the library would make a number of a text, too */
	return json_object_get_int64(value);
}

static const char *get_string(struct json_object *o, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(o, key, &value) || !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

static enum err refusal(struct json_object *error, struct puback *ack, struct why *why)
{
	int64_t code = get_int(error, "err_code");
	bool never = code == ERR_MESSAGE_EXCEEDS_MAX || code == ERR_HEADER_EXCEEDS_MAX;

	ack->stream_gone = code == ERR_STREAM_NOT_FOUND;
	return why_set(why, never ? E_LIMIT : E_UNAVAILABLE, "the server refused it: %.200s (%lld)",
		       get_string(error, "description"), (long long)code);
}

static enum err read_object(struct json_object *o, struct puback *ack, struct why *why)
{
	struct json_object *value;

	if (json_object_object_get_ex(o, "error", &value) && json_object_is_type(value, json_type_object))
		return refusal(value, ack, why);
	int64_t seq = get_int(o, "seq");

	if (!get_string(o, "stream")[0] || seq <= 0)
		return why_set(why, E_UNAVAILABLE, "the server's answer is no acknowledgement");
	ack->seq = (uint64_t)seq;
	if (json_object_object_get_ex(o, "duplicate", &value))
		ack->duplicate = json_object_get_boolean(value);
	return E_OK;
}

/* NULL: not one JSON value and nothing else. */
static struct json_object *parse_whole(struct json_tokener *t, struct str json)
{
	struct json_object *o;

	if (json.n == 0 || json.n >= INT_MAX)
		return NULL;
	o = json_tokener_parse_ex(t, json.p, (int)json.n);
	if (str_trim(str_sub(json, json_tokener_get_parse_end(t), json.n)).n == 0)
		return o;
	json_object_put(o);
	return NULL;
}

enum err puback_parse(struct str json, struct puback *ret_ack, struct why *why)
{
	CLEANUP(free_tokener) struct json_tokener *t = NULL;
	CLEANUP(free_json) struct json_object *o = NULL;

	*ret_ack = (struct puback){ 0 };
	if (parse_usual(json, ret_ack))
		return E_OK;
	*ret_ack = (struct puback){ 0 };
	t = json_tokener_new();
	if (!t)
		return why_set(why, E_NOMEM, "read the server's answer");
	o = parse_whole(t, json);
	if (!o || !json_object_is_type(o, json_type_object))
		return why_set(why, E_UNAVAILABLE, "the server's answer is not a JSON object");
	return read_object(o, ret_ack, why);
}
