#include "holdfast/event.h"

#include "base/mem.h"
#include "lib/lib.h"

/* The core attributes, each with its place in struct event. */
static const struct core {
	const char *name;
	size_t at;
} cores[] = {
	{ "id", offsetof(struct event, id) },
	{ "source", offsetof(struct event, source) },
	{ "type", offsetof(struct event, type) },
	{ "subject", offsetof(struct event, subject) },
	{ "datacontenttype", offsetof(struct event, datacontenttype) },
	{ "dataschema", offsetof(struct event, dataschema) },
	{ "time", offsetof(struct event, time) },
};

struct extension {
	char *name;
	char *text;
	enum event_attr_type type;
};

struct hf_event {
	char *core[ARRAY_LEN(cores)]; /* NULL: absent */
	struct extension extensions[EVENT_EXTENSIONS_MAX];
	size_t extension_count;
	enum hf_data kind;
	char *data; /* NULL: none */
	size_t size;
};

_Static_assert((int)HF_DATA_BINARY == (int)EVENT_DATA_BINARY && (int)HF_DATA_JSON == (int)EVENT_DATA_JSON,
	       "the public kinds of data are ours");

DEFINE_FREEP(hf_event, struct hf_event, hf_event_free)

struct hf_event *hf_event_new(void)
{
	return mem_alloc(sizeof(struct hf_event));
}

void hf_event_free(struct hf_event *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < ARRAY_LEN(cores); i++)
		mem_free(e->core[i]);
	for (size_t i = 0; i < e->extension_count; i++) {
		mem_free(e->extensions[i].name);
		mem_free(e->extensions[i].text);
	}
	mem_free(e->data);
	mem_free(e);
}

/* ARRAY_LEN(cores): it is none. */
static size_t core_index(const char *name)
{
	size_t i = 0;
	while (i < ARRAY_LEN(cores) && strcmp(cores[i].name, name) != 0)
		i++;
	return i;
}

static size_t extension_index(const struct hf_event *e, const char *name)
{
	size_t i = 0;
	while (i < e->extension_count && strcmp(e->extensions[i].name, name) != 0)
		i++;
	return i;
}

/* Puts a copy of `text` in place of `*slot`; an empty text is an absent attribute. */
static enum err replace(char **slot, struct str text)
{
	char *copy = NULL;
	if (text.n > 0 && !(copy = mem_dup(text.p, text.n)))
		return E_NOMEM;
	mem_free(*slot);
	*slot = copy;
	return E_OK;
}

static void extension_remove(struct hf_event *e, size_t i)
{
	mem_free(e->extensions[i].name);
	mem_free(e->extensions[i].text);
	e->extension_count--;
	memmove(&e->extensions[i], &e->extensions[i + 1], (e->extension_count - i) * sizeof(e->extensions[0]));
}

static enum err extension_add(struct hf_event *e, struct str name, struct str text, enum event_attr_type type)
{
	if (e->extension_count == EVENT_EXTENSIONS_MAX)
		return E_LIMIT;
	CLEANUP(mem_freep) char *name_copy = mem_dup(name.p, name.n);
	CLEANUP(mem_freep) char *text_copy = mem_dup(text.p ? text.p : "", text.n);
	if (!name_copy || !text_copy)
		return E_NOMEM;
	struct extension *added = &e->extensions[e->extension_count++];
	*added = (struct extension){ .name = TAKE(name_copy), .text = TAKE(text_copy), .type = type };
	return E_OK;
}

static enum err extension_set(struct hf_event *e, const char *name, struct str text)
{
	size_t i = extension_index(e, name);
	if (i == e->extension_count)
		return text.n > 0 ? extension_add(e, str_of(name), text, EVENT_ATTR_STRING) : E_OK;
	if (text.n == 0) {
		extension_remove(e, i);
		return E_OK;
	}
	enum err err = replace(&e->extensions[i].text, text);
	if (!err)
		e->extensions[i].type = EVENT_ATTR_STRING;
	return err;
}

enum hf_error hf_event_set(struct hf_event *e, const char *name, const char *value)
{
	if (!e || !name)
		return HF_BAD_ARGUMENT;
	size_t core = core_index(name);
	if (core < ARRAY_LEN(cores))
		return lib_error(replace(&e->core[core], str_of(value)));
	if (!event_extension_name_ok(str_of(name)))
		return HF_BAD_ARGUMENT;
	return lib_error(extension_set(e, name, str_of(value)));
}

const char *hf_event_get(const struct hf_event *e, const char *name)
{
	if (!e || !name)
		return NULL;
	size_t core = core_index(name);
	if (core < ARRAY_LEN(cores))
		return e->core[core];
	size_t i = extension_index(e, name);
	return i < e->extension_count ? e->extensions[i].text : NULL;
}

const char *hf_event_name(const struct hf_event *e, size_t i)
{
	if (!e)
		return NULL;
	for (size_t core = 0; core < ARRAY_LEN(cores); core++)
		if (e->core[core] && i-- == 0)
			return cores[core].name;
	return i < e->extension_count ? e->extensions[i].name : NULL;
}

static enum err set_data(struct hf_event *e, enum hf_data kind, struct str data)
{
	char *copy = NULL;
	if (kind != HF_DATA_NONE && !(copy = mem_dup(data.p ? data.p : "", data.n)))
		return E_NOMEM;
	mem_free(e->data);
	e->data = copy;
	e->size = copy ? data.n : 0;
	e->kind = kind;
	return E_OK;
}

enum hf_error hf_event_set_data(struct hf_event *e, enum hf_data kind, const void *data, size_t size)
{
	if (!e || (size > 0 && (!data || kind == HF_DATA_NONE)) || (unsigned)kind > HF_DATA_BINARY)
		return HF_BAD_ARGUMENT;
	return lib_error(set_data(e, kind, (struct str){ data, size }));
}

const void *hf_event_data(const struct hf_event *e, enum hf_data *ret_kind, size_t *ret_size)
{
	if (ret_kind)
		*ret_kind = e ? e->kind : HF_DATA_NONE;
	if (ret_size)
		*ret_size = e ? e->size : 0;
	return e ? e->data : NULL;
}

static void set_core_field(struct event *view, size_t i, struct str text)
{
	memcpy((char *)view + cores[i].at, &text, sizeof(text));
}

static struct str core_field(const struct event *view, size_t i)
{
	struct str text;
	memcpy(&text, (const char *)view + cores[i].at, sizeof(text));
	return text;
}

void lib_event_view(const struct hf_event *e, struct event *ret_view)
{
	*ret_view = (struct event){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(cores); i++)
		set_core_field(ret_view, i, str_of(e->core[i]));
	for (size_t i = 0; i < e->extension_count; i++) {
		const struct extension *x = &e->extensions[i];
		ret_view->extensions[i] = (struct event_attr){ str_of(x->name), str_of(x->text), x->type };
	}
	ret_view->extension_count = e->extension_count;
	ret_view->data_kind = (enum event_data)e->kind;
	ret_view->data = (struct str){ e->data, e->size };
}

static enum err copy_into(struct hf_event *e, const struct event *view)
{
	enum err err = set_data(e, (enum hf_data)view->data_kind, view->data);
	for (size_t i = 0; i < ARRAY_LEN(cores) && !err; i++)
		err = replace(&e->core[i], core_field(view, i));
	for (size_t i = 0; i < view->extension_count && !err; i++) {
		const struct event_attr *x = &view->extensions[i];
		err = extension_add(e, x->name, x->text, x->type);
	}
	return err;
}

struct hf_event *lib_event_copy(const struct event *view)
{
	CLEANUP(hf_event_freep) struct hf_event *e = hf_event_new();
	if (!e || copy_into(e, view))
		return NULL;
	return TAKE(e);
}

struct hf_event *hf_event_copy(const struct hf_event *e)
{
	struct event view;

	if (!e)
		return NULL;
	lib_event_view(e, &view);
	return lib_event_copy(&view);
}
