/*
 * fuzz_signature.c -- what a stranger may put where a git host puts a signature, a form, or the body of an event.
 *
 * Property  Hex and base64: what is read, written again, is the text (hex in lower case); nothing else is read.
 *           Forms: one field is found exactly when the map of the whole form has it, or refused when that is; a value that is
 *           encoded comes back as it was.
 *           GitHub's body: without our members it is still an object, closed by one brace; the other members are there in
 *           their order, byte for byte; none of ours is left.
 *           Bitbucket's push: what is asked for is a plain path segment, and is as many as the limit at most.
 *           Input: a line with the signature, then the rest.
 */
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "event/json_text.h"
#include "event/json_walk.h"
#include "gateway/payload.h"
#include "gateway/signature.h"
#include "gateway/sources/github_body.h"
#include "gateway/sources/open_pulls.h"
#include "gateway/sources/refs_changed.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_hex(struct str text)
{
	for (enum signature_hash hash = 0; hash < SIGNATURE_HASHES; hash++) {
		struct buf hex = { 0 };
		struct signature s;

		if (!signature_from_hex(text, hash, &s))
			continue;
		must(s.n == signature_size(hash));
		for (size_t i = 0; i < s.n; i++)
			buf_addf(&hex, "%02x", s.bytes[i]);
		must(str_eq_nocase(buf_view(&hex), text));
		buf_release(&hex);
	}
}

static void check_base64(struct str text)
{
	for (enum signature_hash hash = 0; hash < SIGNATURE_HASHES; hash++) {
		struct buf again = { 0 };
		struct signature s;

		if (!signature_from_base64(text, hash, &s))
			continue;
		must(s.n == signature_size(hash));
		base64_write((struct str){ (const char *)s.bytes, s.n }, &again);
		must(str_eq(buf_view(&again), text));
		buf_release(&again);
	}
}

/* Inside a string the quotes would be escaped. */
static bool has_payload(struct str map)
{
	return memmem(map.p, map.n, "{\"payload\":[", 12) || memmem(map.p, map.n, "],\"payload\":[", 13);
}

static void check_form(struct str form)
{
	struct buf map = { 0 }, value = { 0 }, encoded = { 0 }, back = { 0 };
	enum err whole = payload_form(form, /* lenient= */ false, &map);
	enum err one = payload_form_field(form, STR("payload"), &value);

	must((whole == E_MALFORMED) == (one == E_MALFORMED));
	if (whole == E_OK)
		must(has_payload(buf_view(&map)) == (one == E_OK) && value.n <= form.n);
	buf_lit(&encoded, "a=1&payload=");
	for (size_t i = 0; i < form.n; i++)
		buf_addf(&encoded, "%%%02X", (unsigned char)form.p[i]);
	must(payload_form_field(buf_view(&encoded), STR("payload"), &back) == E_OK);
	must(str_eq(buf_view(&back), form));
	buf_release(&map);
	buf_release(&value);
	buf_release(&encoded);
	buf_release(&back);
}

static bool is_ours(struct str key)
{
	struct buf arena = { 0 };
	struct str name = { 0 };
	bool ours = buf_reserve(&arena, key.n) && json_decode(key, &arena, &name) &&
		    (str_is(name, "X-GitHub-Event") || str_is(name, "X-GitHub-Delivery"));

	buf_release(&arena);
	return ours;
}

/* The next member that is not ours: key and value as they stand there. False: there is none. */
static bool next_other(struct json_walk *walk, struct str *ret_key, struct str *ret_value)
{
	while (json_walk_next(walk)) {
		*ret_key = json_walk_key(walk);
		*ret_value = json_walk_value(walk);
		if (!is_ours(*ret_key))
			return true;
	}
	return false;
}

static void check_same_members(struct str before, struct str after)
{
	struct json_walk a = json_walk(before), b = json_walk(after);
	struct str key, value, key_after, value_after;

	json_walk_enter(&a);
	json_walk_enter(&b);
	while (next_other(&a, &key, &value)) {
		must(json_walk_next(&b));
		key_after = json_walk_key(&b);
		value_after = json_walk_value(&b);
		must(str_eq(key, key_after) && str_eq(value, value_after));
	}
	must(!json_walk_next(&b));
}

static void check_body(struct str text)
{
	struct buf before = { 0 }, after = { 0 };

	if (json_compact(text, /* plain= */ false, &before, NULL) == E_OK && before.p[0] == '{') {
		buf_str(&after, buf_view(&before));
		must(github_drop_ours(&after, 0) == E_OK);
		buf_char(&after, '}');
		must(json_valid(buf_view(&after)));
		check_same_members(buf_view(&before), buf_view(&after));
	}
	buf_release(&before);
	buf_release(&after);
}

static void check_asked(const struct open_pulls *o)
{
	size_t asked = 0;

	for (size_t i = 0; i < o->count; i++) {
		asked += o->hash[i][0] != '\0';
		must(strlen(o->hash[i]) <= 64 && !strpbrk(o->hash[i], "/?#%& \\") && strcmp(o->hash[i], "..") != 0);
	}
	must(asked > 0 && asked <= REFS_ASKED_MAX);
	must(!strstr(o->path, "..") || !strstr(o->path, "/../"));
}

static void check_push(struct str text)
{
	struct buf body = { 0 };
	struct open_pulls o;

	if (json_compact(text, /* plain= */ false, &body, NULL) == E_OK && body.p[0] == '[') {
		struct json_walk walk = json_walk(buf_view(&body));
		size_t count = 0;

		for (json_walk_enter(&walk); json_walk_next(&walk); count++)
			(void)json_walk_value(&walk);
		if (open_pulls_init(&o, STR("{\"repository\":{\"slug\":\"r\",\"project\":{\"key\":\"P\"}}}"),
				    buf_view(&body), count))
			check_asked(&o);
		open_pulls_release(&o);
	}
	(void)open_pulls_in(text);
	buf_release(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, signature;

	if (size > 1 << 16)
		return 0;
	signature = str_cut(&rest, '\n');
	check_hex(signature);
	check_base64(signature);
	check_form(rest);
	check_body(rest);
	check_push(rest);
	return 0;
}
