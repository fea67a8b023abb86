#include "config/doc.h"

#include <assert.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/yaml_event.h"
#include "config/arena.h"
#include "config/doc_syntax.h"

/* Reading one file: the parser's events build the tree from the root down. */
struct reader {
	yaml_parser_t parser;
	struct doc_file *file;
	struct problems *problems;
	struct str text;
	unsigned line_before;
	struct node *open; /* the map or list that is being filled; NULL: at the root */
	unsigned depth;
	struct str key; /* read, and its value not yet; p NULL: none */
	unsigned key_line;
};

static enum err refuse(struct reader *r, const yaml_mark_t *at, const char *fix, const char *text)
{
	problem_in(r->problems, r->file->path, r->line_before + (unsigned)at->line + 1, fix, "%s", text);
	return E_CONFIG;
}

static struct node *node_new(struct reader *r, enum node_kind kind, const yaml_event_t *event)
{
	struct node *n = doc_arena_alloc(&r->file->arena, sizeof(*n));

	if (!n)
		return NULL;
	*n = (struct node){ .kind = kind,
			    .line = r->line_before + (unsigned)event->start_mark.line + 1,
			    .column = (unsigned)event->start_mark.column + 1,
			    .key = r->key,
			    .key_line = r->key_line,
			    .parent = r->open };
	return n;
}

static enum err add_document(struct reader *r, struct node *root)
{
	struct doc_file *f = r->file;
	struct node **documents;

	if (f->count == DOC_COUNT_MAX) {
		problem_in(r->problems, f->path, root->line, "split the file", "more than 1000 documents");
		return E_CONFIG;
	}
	documents = mem_realloc(f->documents, (f->count + 1) * sizeof(*documents));
	if (!documents)
		return problem_nomem(r->problems);
	f->documents = documents;
	f->documents[f->count++] = root;
	return E_OK;
}

/* Put `n` where the reader stands: under the open map or list, or as a root. */
static enum err place(struct reader *r, struct node *n)
{
	struct node *parent = r->open;

	r->key = (struct str){ 0 };
	if (!parent)
		return node_is_null(n) ? E_OK : add_document(r, n);
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	parent->count++;
	return E_OK;
}

/* Of two equal keys the first counts; the second is reported, and gone, so that nobody finds it again. */
static enum err check_twice(struct reader *r, struct node *map)
{
	struct map seen = { 0 };
	enum err err = E_OK;

	for (struct node **at = &map->first, *n; (n = *at) && err == E_OK;) {
		const struct node *first = map_get(&seen, n->key);

		if (!first) {
			err = map_put(&seen, n->key, n);
			at = &n->next;
			continue;
		}
		problem_at(r->problems, r->file, n, "remove one of them", "stands twice; first at line %u",
			   first->key_line);
		*at = n->next;
		map->count--;
	}
	map_release(&seen);
	return err == E_OK ? E_OK : problem_nomem(r->problems);
}

static bool is_key_place(const struct reader *r)
{
	return r->open && r->open->kind == NODE_MAP && !r->key.p;
}

static enum err on_scalar(struct reader *r, const yaml_event_t *event)
{
	struct str value = { (const char *)event->data.scalar.value, event->data.scalar.length };
	yaml_scalar_style_t style = event->data.scalar.style;
	struct node *n;

	if (str_find(value, '\0') != value.n)
		return refuse(r, &event->start_mark, "remove it", "a string holds a NUL character");
	if (is_key_place(r)) {
		r->key_line = r->line_before + (unsigned)event->start_mark.line + 1;
		return doc_arena_copy(&r->file->arena, value, &r->key) ? E_OK : problem_nomem(r->problems);
	}
	n = node_new(r, NODE_SCALAR, event);
	if (!n || !doc_arena_copy(&r->file->arena, value, &n->text))
		return problem_nomem(r->problems);
	n->block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
	n->quoted = style != YAML_PLAIN_SCALAR_STYLE;
	return place(r, n);
}

static enum err on_open(struct reader *r, enum node_kind kind, const yaml_event_t *event)
{
	struct node *n;
	enum err err;

	if (is_key_place(r))
		return refuse(r, &event->start_mark,
			      "write a plain word before the colon; fill in the {{ }} of a template before",
			      "a key is a map or a list");
	if (++r->depth > DOC_DEPTH_MAX)
		return refuse(r, &event->start_mark, NULL, "nested deeper than 64 levels");
	n = node_new(r, kind, event);
	if (!n)
		return problem_nomem(r->problems);
	err = place(r, n);
	r->open = n;
	return err;
}

static enum err on_close(struct reader *r)
{
	struct node *n = r->open;

	assert(n && r->depth);
	r->open = n->parent;
	r->depth--;
	return n->kind == NODE_MAP ? check_twice(r, n) : E_OK;
}

static enum err on_event(struct reader *r, const yaml_event_t *event)
{
	if (yaml_event_has_anchor(event))
		return refuse(
			r, &event->start_mark, "write the value out",
			"anchors and aliases (& and *) are not allowed; put a string that begins with one in quotes");
	if (yaml_event_has_tag(event))
		return refuse(r, &event->start_mark, "remove it, or put a string that begins with ! in quotes",
			      "tags (!) are not allowed");
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, NODE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return on_open(r, NODE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_close(r);
	default:
		return E_OK;
	}
}

static enum err read_events(struct reader *r)
{
	bool end = false;
	enum err err = E_OK;

	while (!end && err == E_OK) {
		yaml_event_t event;

		if (!yaml_parser_parse(&r->parser, &event))
			return doc_syntax(&r->parser, r->text, r->line_before, r->file->path, r->problems);
		end = event.type == YAML_STREAM_END_EVENT;
		err = on_event(r, &event);
		yaml_event_delete(&event);
	}
	return err;
}

DEFINE_FREEP(doc, struct doc_file, doc_free)

enum err doc_parse(const char *path, struct str text, unsigned line_before, struct problems *problems,
		   struct doc_file **ret_file)
{
	CLEANUP(doc_freep) struct doc_file *file = mem_alloc(sizeof(*file));
	struct reader r = { .file = file, .problems = problems, .text = text, .line_before = line_before };
	enum err err;

	if (!file || !(file->path = str_dup(str_of(path))) || !yaml_parser_initialize(&r.parser))
		return problem_nomem(problems);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p ? text.p : ""), text.n);
	err = read_events(&r);
	yaml_parser_delete(&r.parser);
	if (err == E_OK)
		*ret_file = TAKE(file);
	return err;
}

static enum err read_all(const char *path, struct buf *ret_text, struct why *why)
{
	int fd = -1;
	enum err err;

	if (str_is(str_of(path), "-"))
		return file_read_fd(STDIN_FILENO, DOC_BYTES_MAX, ret_text, why);
	err = file_open(path, why, &fd);
	if (err != E_OK)
		return err;
	err = file_read_fd(fd, DOC_BYTES_MAX, ret_text, why);
	(void)close(fd);
	return err;
}

enum err doc_read(const char *path, struct problems *problems, struct doc_file **ret_file)
{
	struct buf text = { 0 };
	struct why why = { 0 };
	enum err err = read_all(path, &text, &why);

	if (err == E_OK) {
		err = doc_parse(path, buf_view(&text), /* line_before= */ 0, problems, ret_file);
	} else if (err == E_NOMEM) {
		err = problem_nomem(problems);
	} else {
		if (err == E_LIMIT)
			problem_in(problems, path, 0, "split it", "larger than 4 MiB");
		else
			problem_in(problems, path, 0, NULL, "cannot be read: %s", why.text);
		err = E_CONFIG;
	}
	buf_release(&text);
	return err;
}

void doc_free(struct doc_file *f)
{
	if (!f)
		return;
	doc_arena_free(f->arena);
	mem_free(f->documents);
	mem_free(f->path);
	mem_free(f);
}
