#include "wire/checksum.h"

#include <openssl/evp.h>

#include "base/mem.h"
#include "wire/canonical.h"

static enum err sha256(struct str bytes, unsigned char ret_sum[static WIRE_CHECKSUM])
{
	return EVP_Digest(bytes.p, bytes.n, ret_sum, NULL, EVP_sha256(), NULL) == 1 ? E_OK : E_NOMEM;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

#define SPELT 64 /* about what one takes; the buffer grows when it is more */

/* "Kind/Name/UID" of each, in our dialect with "/Version", one behind the other in `text`; `at` has where. */
static enum err spell(const struct wire_listed *list, size_t n, struct buf *text, struct str *at)
{
	if (!buf_reserve(text, n * SPELT))
		return text->err;
	for (size_t i = 0; i < n; i++) {
		size_t from = text->n;

		buf_str(text, list[i].kind);
		buf_char(text, '/');
		buf_str(text, list[i].name);
		buf_char(text, '/');
		buf_str(text, list[i].uid);
		if (list[i].version.n)
			buf_char(text, '/');
		buf_str(text, list[i].version);
		at[i].n = text->n - from;
	}
	if (text->err != E_OK)
		return text->err;
	for (size_t i = 0, from = 0; i < n; from += at[i++].n)
		at[i].p = text->p + from;
	return E_OK;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err sum_sorted(const struct str *at, size_t n, size_t size, unsigned char ret_sum[static WIRE_CHECKSUM])
{
	struct buf sorted = { 0 };
	enum err err;

	(void)buf_reserve(&sorted, size);
	for (size_t i = 0; i < n; i++)
		buf_str(&sorted, at[i]);
	err = sorted.err == E_OK ? sha256(buf_view(&sorted), ret_sum) : sorted.err;
	buf_release(&sorted);
	return err;
}

enum err wire_list_checksum(const struct wire_listed *list, size_t n, bool *ret_has,
			    unsigned char ret_sum[static WIRE_CHECKSUM])
{
	struct buf text = { 0 };
	struct str *at;
	enum err err;

	*ret_has = n != 0;
	if (n == 0)
		return E_OK;
	at = mem_array(n, sizeof(*at));
	if (!at)
		return E_NOMEM;
	err = spell(list, n, &text, at);
	if (err == E_OK) {
		qsort(at, n, sizeof(*at), by_text);
		err = sum_sorted(at, n, text.n, ret_sum);
	}
	buf_release(&text);
	mem_free(at);
	return err;
}

/* ---- the spec ---------------------------------------------------------------------------------------------------- */

/* Repositories are Secrets, GPG keys lie in a ConfigMap: both have data. */
static bool has_data(enum wire_target target)
{
	return target == WIRE_TO_REPOSITORY || target == WIRE_TO_GPGKEY;
}

static enum err canonical_part(const struct tape *t, enum wire_target target, struct buf *text, struct why *why)
{
	const char *name = has_data(target) ? "data" : "spec";
	size_t node = tape_member(t, 0, str_of(name));

	if (!tape_is_object(t, 0))
		return why_set(why, E_MALFORMED, "no object");
	if (node == 0 && target == WIRE_TO_GPGKEY) {
		buf_lit(text, "{}");
		return text->err;
	}
	if (node == 0)
		return why_set(why, E_NOT_FOUND, "it has no %s", name);
	if (!tape_is_object(t, node))
		return why_set(why, E_MALFORMED, "its %s is no object", name);
	return canonical_node(t, node, STR("destination"), text, why);
}

enum err wire_spec_checksum(enum wire_target target, struct str json, unsigned char ret_sum[static WIRE_CHECKSUM],
			    struct why *why)
{
	struct tape tape = { 0 };
	struct buf text = { 0 };
	enum err err = tape_read(&tape, json, why);

	if (err == E_OK)
		err = canonical_part(&tape, target, &text, why);
	if (err == E_OK)
		err = sha256(buf_view(&text), ret_sum);
	tape_release(&tape);
	buf_release(&text);
	return err;
}
