#include "config/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "config/doc.h"

#define TEXT_MAX 400 /* bytes of one text; what a stranger wrote is not repeated for pages */

static void problem_free(struct problem *q)
{
	mem_free(q->file);
	mem_free(q->path);
	mem_free(q->text);
	mem_free(q->fix);
	mem_free(q);
}

/* A copy on one line that a terminal shows as it is. */
static char *clean(struct str s)
{
	char *copy = mem_dup(s.p, s.n < TEXT_MAX ? s.n : TEXT_MAX);

	for (char *c = copy; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return copy;
}

/* Files keep the order in which they were first named; within a file lines rise, equal ones in the order they came. */
static void insert(struct problems *p, struct problem *q)
{
	struct problem **at = NULL, **end = &p->first;

	for (; *end; end = &(*end)->next) {
		bool same = str_eq(str_of((*end)->file), str_of(q->file));

		if (same && (*end)->line <= q->line)
			at = &(*end)->next;
		else if (same && !at)
			at = end;
	}
	if (!at)
		at = end;
	q->next = *at;
	*at = q;
	p->kept++;
}

struct place {
	const char *file;
	unsigned line;
	struct str path;
	bool warning;
};

static void add(struct problems *p, const struct place *place, const char *fix, struct str text)
{
	struct problem *q;

	if (p->soft && !place->warning) {
		const struct place softer = { place->file, place->line, place->path, true };

		p->softened++;
		add(p, &softer, fix, text);
		return;
	}
	*(place->warning ? &p->warnings : &p->errors) += 1;
	if (p->kept >= PROBLEMS_MAX)
		return;
	q = mem_alloc(sizeof(*q));
	if (!q) {
		p->lost = true;
		return;
	}
	q->file = str_dup(str_of(place->file));
	q->line = place->line;
	q->path = clean(place->path);
	q->text = clean(text);
	q->fix = fix ? clean(str_of(fix)) : NULL;
	q->warning = place->warning;
	if (!q->file || !q->path || !q->text || (fix && !q->fix)) {
		p->lost = true;
		problem_free(q);
		return;
	}
	insert(p, q);
}

static void add_format(struct problems *p, const struct place *place, const char *fix, const char *format, va_list args)
	__attribute__((format(printf, 4, 0)));

static void add_format(struct problems *p, const struct place *place, const char *fix, const char *format, va_list args)
{
	char text[TEXT_MAX + 1];

	(void)vsnprintf(text, sizeof(text), format, args);
	add(p, place, fix, str_of(text));
}

static void add_at(struct problems *p, bool warning, const struct doc_file *file, const struct node *n, const char *fix,
		   const char *format, va_list args) __attribute__((format(printf, 6, 0)));

static void add_at(struct problems *p, bool warning, const struct doc_file *file, const struct node *n, const char *fix,
		   const char *format, va_list args)
{
	struct buf path = { 0 };

	if (n)
		node_path(n, &path);
	if (path.err != E_OK)
		p->lost = true;
	/* A map or list begins below its key: the key is where one looks. */
	add_format(p,
		   &(struct place){ .file = file->path,
				    .line = n ? n->key.p && n->kind != NODE_SCALAR ? n->key_line : n->line : 0,
				    .path = buf_view(&path),
				    .warning = warning },
		   fix, format, args);
	buf_release(&path);
}

void problem_at(struct problems *p, const struct doc_file *file, const struct node *n, const char *fix,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(p, /* warning= */ false, file, n, fix, format, args);
	va_end(args);
}

void warning_at(struct problems *p, const struct doc_file *file, const struct node *n, const char *fix,
		const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(p, /* warning= */ true, file, n, fix, format, args);
	va_end(args);
}

void problem_in(struct problems *p, const char *file, unsigned line, const char *fix, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_format(p, &(struct place){ .file = file, .line = line }, fix, format, args);
	va_end(args);
}

enum err problem_nomem(struct problems *p)
{
	p->lost = true;
	return E_NOMEM;
}

void problem_write(const struct problem *q, struct buf *ret_text)
{
	buf_str(ret_text, str_of(q->file));
	if (q->line)
		buf_addf(ret_text, ":%u", q->line);
	buf_addf(ret_text, ": %s%s%s%s", q->warning ? "warning: " : "", q->path, *q->path ? ": " : "", q->text);
	if (q->fix)
		buf_addf(ret_text, " (%s)", q->fix);
}

void problems_write(const struct problems *p, struct buf *ret_text)
{
	for (const struct problem *q = p->first; q; q = q->next) {
		problem_write(q, ret_text);
		buf_char(ret_text, '\n');
	}
	if (p->errors + p->warnings > p->kept && !p->lost)
		buf_addf(ret_text, "and %zu more\n", p->errors + p->warnings - p->kept);
	if (p->lost)
		buf_lit(ret_text, "out of memory: not everything could be read or reported\n");
}

void problems_release(struct problems *p)
{
	while (p->first) {
		struct problem *next = p->first->next;

		problem_free(p->first);
		p->first = next;
	}
	*p = (struct problems){ 0 };
}
