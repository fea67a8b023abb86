#include "sync/graft.h"

json_object *graft_copy(json_object *from, enum err *err)
{
	json_object *to = json_object_new_object();

	if (!to)
		*err = E_NOMEM;
	if (!to || !json_object_is_type(from, json_type_object))
		return to;
	json_object_object_foreach(from, key, value)
	{
		if (!value || tree_put_new(to, key, json_object_get(value)) == 0)
			continue;
		*err = E_NOMEM;
		json_object_put(value);
	}
	return to;
}

void graft_put(json_object *object, const char *key, json_object *value, enum err *err)
{
	if (object && value && tree_put(object, key, value) == 0)
		return;
	*err = E_NOMEM;
	json_object_put(value);
}

void graft_put_text(json_object *object, const char *key, const char *text, enum err *err)
{
	graft_put(object, key, json_object_new_string(text), err);
}

void graft_share(json_object *object, const char *key, json_object *value, enum err *err)
{
	if (value)
		graft_put(object, key, json_object_get(value), err);
	else if (object)
		json_object_object_del(object, key);
}

json_object *graft_member(json_object *object, const char *key)
{
	return tree_member(object, key);
}

json_object *graft_object(json_object *object, const char *key)
{
	json_object *value = graft_member(object, key);

	return json_object_is_type(value, json_type_object) ? value : NULL;
}

const char *graft_text(json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

bool graft_same(json_object *a, json_object *b)
{
	return json_object_equal(a, b) == 1;
}

bool graft_is_empty(json_object *value)
{
	if (json_object_is_type(value, json_type_object))
		return json_object_object_length(value) == 0;
	if (json_object_is_type(value, json_type_array))
		return json_object_array_length(value) == 0;
	return !value;
}

bool graft_says_same(json_object *a, json_object *b)
{
	return (graft_is_empty(a) && graft_is_empty(b)) || graft_same(a, b);
}
