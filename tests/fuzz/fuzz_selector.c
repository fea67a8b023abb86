/*
 * fuzz_selector.c -- label selectors, against labels of any kind.
 *
 * Property  Reading refuses with a reason or succeeds. What was read means the same a second time, and the same when each
 *           requirement stands there twice. With one more requirement it matches what it matched before and the requirement; with
 *           one that cannot hold it matches nothing. White space around it does not matter.
 *           Input: a line with the selector, then labels, one "key=value" a line.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "sync/selector.h"

#define TEXT_MAX 4096

static void must(bool holds)
{
	if (!holds)
		abort();
}

static json_object *labels_of(struct str lines)
{
	json_object *labels = json_object_new_object();
	struct buf key = { 0 };

	while (lines.n) {
		struct str value = str_cut(&lines, '\n'), name = str_cut(&value, '=');

		buf_clear(&key);
		buf_str(&key, name);
		if (str_find(name, '\0') == name.n && buf_cstr(&key))
			json_object_object_add(labels, buf_cstr(&key),
					       json_object_new_string_len(value.n ? value.p : "", (int)value.n));
	}
	buf_release(&key);
	return labels;
}

/* Does "front text back" match? It must be one when `text` is one. */
static bool matches(const char *front, struct str text, const char *back, json_object *labels)
{
	CLEANUP(selector_freep) struct selector *s = NULL;
	struct buf b = { 0 };

	buf_str(&b, str_of(front));
	buf_str(&b, text);
	buf_str(&b, str_of(back));
	must(selector_new(buf_view(&b), NULL, &s) == E_OK);
	buf_release(&b);
	return selector_match(s, labels);
}

static void check(struct str text, const struct selector *s, json_object *labels)
{
	bool match = selector_match(s, labels);

	must(matches("", text, "", labels) == match);
	must(matches(" \t", text, " ", labels) == match);
	if (str_trim(text).n == 0 || str_find(text, '\n') < text.n || str_find(text, '\r') < text.n)
		return;
	must(matches("zz-none!=1,", text, "", labels) == match);
	must(matches("", text, ", !zz-none", labels) == match);
	must(!matches("zz-none in (1),", text, "", labels));
	must(!matches("", text, ",zz-none", labels));
	must(!matches("zz-none>0,", text, ",!zz-none", labels));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, text;
	struct selector *s = NULL;
	struct why why = { 0 };
	json_object *labels;
	enum err err;

	if (size > TEXT_MAX)
		return 0;
	text = str_cut(&rest, '\n');
	labels = labels_of(rest);
	json_object_object_del(labels, "zz-none");
	err = selector_new(text, &why, &s);
	must(err == E_OK || err == E_MALFORMED || err == E_LIMIT);
	must((err == E_OK) == (why.text[0] == '\0') && (err == E_OK) == (s != NULL));
	if (err == E_OK && text.n < TEXT_MAX / 2)
		check(text, s, labels);
	selector_free(s);
	json_object_put(labels);
	return 0;
}
