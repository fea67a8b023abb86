#include <sys/stat.h>

#include "base/mem.h"
#include "gateway/config_read.h"

#define API_VERSION "argoproj.io/v1alpha1"

static bool push(struct manifest_list *list, const struct manifest *m)
{
	struct manifest *items = mem_realloc(list->items, (list->count + 1) * sizeof(*items));

	if (!items)
		return false;
	list->items = items;
	items[list->count++] = *m;
	return true;
}

/* The text under `key` of metadata; "" when it has none. */
static const char *metadata_text(const struct config_reader *r, const struct manifest *m, const char *key)
{
	const struct node *n = node_get(node_get(m->root, "metadata"), key);

	if (node_is_null(n))
		return "";
	if (n->kind == NODE_SCALAR)
		return n->text.p;
	problem_at(r->problems, m->file, n, "write a single value", "is not a string");
	return "";
}

static void check_top_keys(const struct config_reader *r, const struct manifest *m)
{
	static const char *const known[] = { "apiVersion", "kind", "metadata", "spec", "status" };

	for (const struct node *n = m->root->first; n; n = n->next) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && !str_is(n->key, known[i]))
			i++;
		if (i == ARRAY_LEN(known) && r->input->take_unknown)
			warning_at(r->problems, m->file, n, NULL, "unknown key: it is not used");
		else if (i == ARRAY_LEN(known))
			problem_at(r->problems, m->file, n, "known here: apiVersion, kind, metadata, spec, status",
				   "unknown key");
	}
}

/* What every document of ours has in common. */
static void read_head(const struct config_reader *r, struct manifest *m)
{
	const struct node *version = node_get(m->root, "apiVersion");

	if (!version || !str_is(version->text, API_VERSION))
		problem_at(r->problems, m->file, version ? version : m->root, "write apiVersion: " API_VERSION,
			   "apiVersion is not " API_VERSION);
	check_top_keys(r, m);
	m->name = metadata_text(r, m, "name");
	m->namespace = metadata_text(r, m, "namespace");
	if (!*m->name)
		problem_at(r->problems, m->file, m->root, "add metadata: {name: ...}", "metadata.name can't be empty");
	if (!*m->namespace)
		m->namespace = "default";
	m->spec = node_get(m->root, "spec");
	if (m->spec && m->spec->kind != NODE_MAP) {
		if (!node_is_null(m->spec))
			problem_at(r->problems, m->file, m->spec, "write `key: value` lines below it", "is not a map");
		m->spec = NULL;
	}
	m->holdfast = node_get(m->spec, "holdfast");
}

/* What to write for a kind that is nearly one of ours; NULL: it is another one. */
static const char *kind_meant(struct str kind)
{
	if (str_distance(kind, STR("EventSource")) <= 2)
		return "did you mean `EventSource`?";
	return str_distance(kind, STR("EventBus")) <= 2 ? "did you mean `EventBus`?" : NULL;
}

/* What kubectl makes of several resources: {kind: List, items: [...]}. */
static const struct node *items_of(const struct node *root, const struct node *kind)
{
	const struct node *items = node_get(root, "items");

	return str_is(kind->text, "List") && items && items->kind == NODE_LIST ? items : NULL;
}

static bool read_document(struct config_reader *r, const struct doc_file *file, const struct node *root)
{
	const struct node *kind = node_get(root, "kind"), *items;
	struct manifest m = { .file = file, .root = root };

	if (root->kind != NODE_MAP || node_is_null(kind) || kind->kind != NODE_SCALAR) {
		problem_at(r->problems, file, root, "write a manifest with `kind: EventSource` or `kind: EventBus`",
			   "not a manifest: it has no kind");
		return true;
	}
	if (str_is(kind->text, "EventSource")) {
		read_head(r, &m);
		return push(&r->sources, &m);
	}
	if (str_is(kind->text, "EventBus")) {
		read_head(r, &m);
		return push(&r->buses, &m);
	}
	items = items_of(root, kind);
	if (items) {
		for (const struct node *n = items->first; n; n = n->next)
			if (!read_document(r, file, n))
				return false;
		return true;
	}
	warning_at(r->problems, file, kind, kind_meant(kind->text),
		   "kind %.60s is skipped: the gateway reads EventSource and EventBus", kind->text.p);
	return true;
}

static bool keep_file(struct config_reader *r, enum err err, struct doc_file *file)
{
	if (err != E_OK)
		return err != E_NOMEM;
	r->files[r->file_count++] = file;
	for (size_t i = 0; i < file->count; i++)
		if (!read_document(r, file, file->documents[i]))
			return false;
	return true;
}

/* Standard input, and the pipe of a shell. */
static bool is_read_once(const char *path)
{
	struct stat st;

	return str_is(str_of(path), "-") || (stat(path, &st) == 0 && S_ISFIFO(st.st_mode));
}

static bool read_file(struct config_reader *r, const char *path)
{
	struct doc_file *file = NULL;
	enum err err;

	if (r->input->running &&
	    is_read_once(path)) { /* its events would be gone, or the loop would wait for a terminal */
		problem_in(r->problems, path, 0, "start the gateway again, or give it files",
			   "was read to its end at the start");
		return true;
	}
	err = doc_read(path, r->problems, &file);
	return keep_file(r, err, file);
}

static bool read_text(struct config_reader *r, const struct config_text *text)
{
	struct doc_file *file = NULL;
	enum err err = doc_parse(text->name, text->text, /* line_before= */ 0, r->problems, &file);

	return keep_file(r, err, file);
}

bool config_read_manifests(struct config_reader *r)
{
	const struct config_input *in = r->input;

	r->files = mem_array(in->file_count + in->text_count + 1, sizeof(struct doc_file *));
	if (!r->files)
		return false;
	for (size_t i = 0; i < in->file_count; i++)
		if (!read_file(r, in->files[i]))
			return false;
	for (size_t i = 0; i < in->text_count; i++)
		if (!read_text(r, &in->texts[i]))
			return false;
	if (r->sources.count == 0 && r->problems->errors == 0)
		problem_in(r->problems, in->file_count ? in->files[0] : "-", 0, "give a file with `kind: EventSource`",
			   "there is no EventSource: nothing would be received");
	return true;
}
