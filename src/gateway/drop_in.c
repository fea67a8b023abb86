#include "gateway/drop_in.h"

#include <json-c/json.h>

#include "base/base64.h"
#include "base/mem.h"

#define SECRETS_DIR "/argo-events/secrets"
#define AUTH_FILE   "/etc/eventbus/auth/auth.yaml"
#define DEPTH_MAX   64

static void put(json_object **o)
{
	json_object_put(*o);
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static enum err parse(struct str text, const char *name, struct why *why, json_object **ret_object)
{
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_object *o = NULL;
	bool whole;

	if (!tokener)
		return why_set(why, E_NOMEM, "%s", name);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = text.n < INT32_MAX ? json_tokener_parse_ex(tokener, text.p, (int)text.n) : NULL;
	/* Digits at the end are complete only when something follows; an object always is. */
	whole = json_tokener_get_error(tokener) == json_tokener_success &&
		json_tokener_get_parse_end(tokener) == text.n;
	json_tokener_free(tokener);
	if (whole && json_object_is_type(o, json_type_object)) {
		*ret_object = o;
		return E_OK;
	}
	json_object_put(o);
	return why_set(why, E_CONFIG, "%s: is not one JSON object", name);
}

static enum err decode(const char *value, const char *name, struct why *why, json_object **ret_object)
{
	struct buf text = { 0 };
	enum err err;

	if (!value || !*value)
		return why_set(why, E_CONFIG, "%s is not set: the Argo Events controller sets it", name);
	if (!base64_read(str_trim(str_of(value)), &text))
		err = why_set(why, E_CONFIG, "%s: is not base64", name);
	else if (text.err)
		err = why_set(why, text.err, "%s", name);
	else
		err = parse(str_trim(buf_view(&text)), name, why, ret_object);
	buf_release(&text);
	return err;
}

/* Go writes null for what is not there; a manifest leaves it out. */
static void drop_nulls(json_object *o)
{
	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			drop_nulls(json_object_array_get_idx(o, i));
		return;
	}
	if (!json_object_is_type(o, json_type_object))
		return;
	json_object_object_foreach(o, key, value)
	{
		if (value)
			drop_nulls(value);
		else
			json_object_object_del(o, key); /* the loop knows the next one already */
	}
}

static json_object *get(json_object *o, const char *key)
{
	json_object *value = NULL;

	return json_object_object_get_ex(o, key, &value) ? value : NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

/* Adds `value`, which is ours; false: no memory. */
static bool add(json_object *o, const char *key, json_object *value)
{
	if (value && json_object_object_add(o, key, value) == 0)
		return true;
	json_object_put(value);
	return false;
}

static bool add_text(json_object *o, const char *key, const char *value)
{
	return add(o, key, json_object_new_string(value));
}

static bool add_path(json_object *o, const char *key, const char *root, const char *path)
{
	struct buf text = { 0 };
	bool ok;

	buf_addf(&text, "%s%s", root, path);
	ok = text.err == E_OK && add_text(o, key, buf_cstr(&text));
	buf_release(&text);
	return ok;
}

/* The map under `key`, made when it is not there; NULL: no memory, or it is no map. */
static json_object *map_at(json_object *o, const char *key)
{
	json_object *map = get(o, key);

	if (!map && add(o, key, json_object_new_object()))
		map = get(o, key);
	return json_object_is_type(map, json_type_object) ? map : NULL;
}

static bool is_manifest(json_object *o, const char *kind)
{
	return add_text(o, "apiVersion", "argoproj.io/v1alpha1") && add_text(o, "kind", kind);
}

static enum err write(json_object *o, struct why *why, struct buf *ret_text)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text)
		buf_str(ret_text, str_of(text));
	return text && ret_text->err == E_OK ? E_OK : why_set(why, E_NOMEM, "read the environment");
}

/* ---- the EventSource -------------------------------------------------------------------------------------------------- */

/* What HOLDFAST_SPEC says wins over spec.holdfast of the object. */
static enum err add_options(const struct drop_in *in, json_object *own, struct why *why)
{
	CLEANUP(put) json_object *options = NULL;
	enum err err;

	if (!in->options)
		return E_OK;
	err = parse(str_trim(str_of(in->options)), "HOLDFAST_SPEC", why, &options);
	if (err)
		return err;
	json_object_object_foreach(options, key, value)
	{
		if (!add(own, key, json_object_get(value)))
			return why_set(why, E_NOMEM, "HOLDFAST_SPEC");
	}
	return E_OK;
}

static enum err add_own(const struct drop_in *in, json_object *object, struct why *why)
{
	json_object *spec = map_at(object, "spec");
	json_object *own = spec ? map_at(spec, "holdfast") : NULL;
	enum err err;

	if (!own)
		return why_set(why, E_CONFIG, "EVENTSOURCE_OBJECT: spec or spec.holdfast is not a map");
	err = add_options(in, own, why);
	if (err)
		return err;
	if (in->data_dir && !add_text(own, "dataDir", in->data_dir))
		return why_set(why, E_NOMEM, "read the environment");
	if (!get(own, "secretsDir") && !add_path(own, "secretsDir", in->root, SECRETS_DIR))
		return why_set(why, E_NOMEM, "read the environment");
	return E_OK;
}

/* ---- the EventBus ----------------------------------------------------------------------------------------------------- */

/* The first of them in this order: facts argo-events 4.0. */
static enum err choose_bus(const struct drop_in *in, json_object *config, json_object *spec, struct why *why)
{
	static const char *const kinds[][2] = { { "nats", "nats" },
						{ "jetstream", "jetstreamExotic" },
						{ "kafka", "kafka" } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_object *bus = get(config, kinds[i][0]);
		json_object *own;

		if (!bus)
			continue;
		if (!add(spec, kinds[i][1], json_object_get(bus)))
			return why_set(why, E_NOMEM, "EVENTBUS_CONFIG");
		if (i != 1 || !get(bus, "accessSecret"))
			return E_OK;
		own = map_at(spec, "holdfast");
		return own && add_path(own, "authFile", in->root, AUTH_FILE) ? E_OK
									     : why_set(why, E_NOMEM, "EVENTBUS_CONFIG");
	}
	return why_set(why, E_CONFIG, "EVENTBUS_CONFIG: invalid event bus: neither jetstream nor kafka");
}

static bool name_bus(json_object *bus, json_object *source)
{
	json_object *name = get(get(source, "spec"), "eventBusName");
	json_object *namespace = get(get(source, "metadata"), "namespace");
	json_object *metadata = map_at(bus, "metadata");
	const char *text = name ? json_object_get_string(name) : NULL;

	return metadata && add_text(metadata, "name", text && *text ? text : "default") &&
	       (!namespace || add(metadata, "namespace", json_object_get(namespace)));
}

static enum err write_bus(const struct drop_in *in, json_object *source, struct why *why, struct buf *ret_bus)
{
	CLEANUP(put) json_object *config = NULL;
	CLEANUP(put) json_object *bus = json_object_new_object();
	json_object *spec = bus ? map_at(bus, "spec") : NULL;
	enum err err = decode(in->bus_config, "EVENTBUS_CONFIG", why, &config);

	if (err)
		return err;
	if (!spec || !is_manifest(bus, "EventBus") || !name_bus(bus, source))
		return why_set(why, E_NOMEM, "read the environment");
	drop_nulls(config);
	err = choose_bus(in, config, spec, why);
	return err ? err : write(bus, why, ret_bus);
}

enum err drop_in_read(const struct drop_in *in, struct why *why, struct buf *ret_source, struct buf *ret_bus)
{
	CLEANUP(put) json_object *source = NULL;
	enum err err = decode(in->object, "EVENTSOURCE_OBJECT", why, &source);

	if (err)
		return err;
	drop_nulls(source);
	if (!is_manifest(source, "EventSource"))
		return why_set(why, E_NOMEM, "read the environment");
	err = add_own(in, source, why);
	if (!err)
		err = write(source, why, ret_source);
	return err ? err : write_bus(in, source, why, ret_bus);
}
