#include <stdio.h>

#include "base/mem.h"
#include "gateway/config_read.h"

/* Keys of spec that are not types of sources; what configures a pod is not ours to look at. */
static const char *const others[] = { "eventBusName", "holdfast", "replicas", "service", "template" };

static bool is_other(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_is(key, others[i]))
			return true;
	return false;
}

static const char *nearest_other(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_distance(key, str_of(others[i])) < 3)
			return others[i];
	return NULL;
}

/* "types of sources served here: webhook, github". */
static void list_types(size_t size, char *ret_text)
{
	struct buf b = { .p = ret_text, .cap = size, .max = size }; /* the names are ours: they fit */

	buf_lit(&b, "types of sources served here:");
	for (size_t i = 0; sources[i]; i++)
		if (!sources[i]->own)
			buf_addf(&b, "%s %s", ret_text[b.n - 1] == ':' ? "" : ",", sources[i]->kind);
	ret_text[b.n] = '\0';
}

static void report_unknown(struct config_reader *r, const struct manifest *m, const struct node *n)
{
	const char *best = source_nearest(n->key);
	char fix[192];

	if (source_is_upstream(n->key)) {
		problem_at(r->problems, m->file, n, "leave it to the Argo Events gateway, in an EventSource of its own",
			   "type %.40s is not served by this version", n->key.p);
		return;
	}
	if (source_find(n->key, /* own= */ true)) {
		problem_at(r->problems, m->file, n, "move it under spec.holdfast", "is not a type of Argo Events");
		return;
	}
	best = best ? best : nearest_other(n->key);
	(void)snprintf(fix, sizeof(fix), "did you mean `%s`?", best ? best : "");
	if (!best)
		list_types(sizeof(fix), fix);
	if (!best && n->kind == NODE_SCALAR) /* no events are lost with it, and a controller takes it as well */
		warning_at(r->problems, m->file, n, fix, "unknown key: it is not used");
	else
		problem_at(r->problems, m->file, n, fix, "unknown key");
}

static bool is_event(struct config_reader *r, const struct manifest *m, const struct node *event)
{
	if (event->key.n == 0)
		problem_at(r->problems, m->file, event, "give the event a name", "the event has no name");
	else if (event->kind != NODE_MAP && !node_is_null(event))
		problem_at(r->problems, m->file, event, "write an event's name, and its keys below it",
			   "is not the map of an event");
	else
		return true;
	return false;
}

/* Where the input says so, a bad event is left out and the others are served. */
static bool read_event(struct config_reader *r, const struct manifest *m, const struct source_ops *ops,
		       const struct node *event)
{
	size_t before = r->problems->softened, routes = r->config->route_count;
	bool ok;

	r->problems->soft = r->input->skip_bad;
	ok = !is_event(r, m, event) || config_read_route(r, m, ops, event);
	r->problems->soft = false;
	if (!ok || r->problems->softened == before)
		return ok;
	if (r->config->route_count > routes)
		config_route_release(&r->config->routes[--r->config->route_count]);
	warning_at(r->problems, m->file, event, NULL, "the event is left out: nothing is received for it");
	return true;
}

static bool read_events(struct config_reader *r, const struct manifest *m, const struct source_ops *ops,
			const struct node *events)
{
	if (node_is_null(events))
		return true;
	if (events->kind != NODE_MAP) {
		problem_at(r->problems, m->file, events, "write an event's name, and its keys below it",
			   "is not a map");
		return true;
	}
	for (const struct node *event = events->first; event; event = event->next)
		if (!read_event(r, m, ops, event))
			return false;
	return true;
}

static bool read_source(struct config_reader *r, const struct manifest *m)
{
	for (const struct node *n = m->spec ? m->spec->first : NULL; n; n = n->next) {
		const struct source_ops *ops = source_find(n->key, /* own= */ false);

		if (ops && !read_events(r, m, ops, n))
			return false;
		r->problems->soft = r->input->skip_bad;
		if (!ops && !is_other(n->key))
			report_unknown(r, m, n);
		r->problems->soft = false;
	}
	for (size_t i = 0; sources[i]; i++) {
		const struct node *n = sources[i]->own ? node_get(m->holdfast, sources[i]->kind) : NULL;

		if (n && !read_events(r, m, sources[i], n))
			return false;
	}
	return true;
}

bool config_read_sources(struct config_reader *r)
{
	for (size_t i = 0; i < r->sources.count; i++) {
		const struct manifest *m = &r->sources.items[i];
		size_t routes = r->config->route_count, errors = r->problems->errors;

		if (!read_source(r, m))
			return false;
		if (r->config->route_count == routes && r->problems->errors == errors)
			problem_at(r->problems, m->file, m->root, "add an event under spec.webhook",
				   "the EventSource has no events");
	}
	return true;
}
