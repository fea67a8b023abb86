#include "auth/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/re2.h"

#define STEPS_MAX    200000 /* of a match: some ms at most */
#define HEAP_KIB_MAX 1024
#define OPTIONS      (PCRE2_UTF | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP)

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
	unsigned groups;
};

/* PCRE2 allocates through these, so that tests can make it fail. */
static void *on_alloc(size_t n, void *ctx)
{
	(void)ctx;
	return mem_alloc(n);
}

static void on_free(void *p, void *ctx)
{
	(void)ctx;
	mem_free(p);
}

static enum err compile(struct regex *r, pcre2_general_context *memory, struct str pattern, struct why *why)
{
	pcre2_compile_context *ctx = pcre2_compile_context_create(memory);
	PCRE2_UCHAR text[128] = "";
	PCRE2_SIZE at;
	int problem;

	if (!ctx)
		return why_set(why, E_NOMEM, "read an expression");
	(void)pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
	r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, OPTIONS, &problem, &at, ctx);
	pcre2_compile_context_free(ctx);
	if (r->code)
		return E_OK;
	if (problem == PCRE2_ERROR_NOMEMORY || problem == PCRE2_ERROR_HEAP_FAILED)
		return why_set(why, E_NOMEM, "read an expression");
	(void)pcre2_get_error_message(problem, text, sizeof(text));
	return why_set(why, E_MALFORMED, "the regular expression is not valid: %s", (const char *)text);
}

static enum err set_limits(struct regex *r, pcre2_general_context *memory, struct why *why)
{
	r->limits = pcre2_match_context_create(memory);
	if (!r->limits)
		return why_set(why, E_NOMEM, "read an expression");
	(void)pcre2_set_match_limit(r->limits, STEPS_MAX);
	(void)pcre2_set_heap_limit(r->limits, HEAP_KIB_MAX);
	(void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
	return E_OK;
}

static enum err translate(struct str pattern, struct buf *ret_pattern, struct why *why)
{
	enum err err = re2_translate(pattern, /* captures= */ true, ret_pattern, why);

	if (err == E_OK && ret_pattern->err != E_OK)
		return why_set(why, ret_pattern->err, "read an expression");
	return err;
}

/* What is wrong with an expression is wrong with the configuration it stands in. */
static enum err blame(struct why *why, enum err err, struct str pattern)
{
	struct why said = { 0 };

	if (err != E_MALFORMED && err != E_LIMIT)
		return err;
	if (why)
		said = *why;
	return why_set(why, E_CONFIG, "'%.*s': %s", STR_ARG(pattern), said.text);
}

enum err regex_new(struct str pattern, struct why *why, struct regex **ret_regex)
{
	pcre2_general_context *memory = pcre2_general_context_create(on_alloc, on_free, NULL);
	CLEANUP(regex_freep) struct regex *r = mem_alloc(sizeof(*r));
	struct buf translated = { 0 };
	enum err err = E_OK;

	if (pattern.n == 0)
		err = why_set(why, E_CONFIG, "the expression is empty");
	else if (!memory || !r)
		err = why_set(why, E_NOMEM, "read an expression");
	else if ((err = translate(pattern, &translated, why)) == E_OK &&
		 (err = compile(r, memory, buf_view(&translated), why)) == E_OK)
		err = set_limits(r, memory, why);
	buf_release(&translated);
	pcre2_general_context_free(memory);
	if (err == E_OK)
		*ret_regex = TAKE(r);
	return blame(why, err, pattern);
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	pcre2_match_context_free(r->limits);
	mem_free(r);
}

unsigned regex_groups(const struct regex *r)
{
	return r->groups;
}

static struct str group1(const pcre2_match_data *match, struct str text)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer((pcre2_match_data *)match);

	if (pcre2_get_ovector_count((pcre2_match_data *)match) < 2 || at[2] == PCRE2_UNSET)
		return (struct str){ 0 };
	return str_sub(text, at[2], at[3] - at[2]);
}

enum err regex_match(const struct regex *r, struct str text, bool *ret_match, struct str *ret_group1)
{
	struct str subject = text.p ? text : STR("");
	pcre2_match_data *match;
	int n;

	if (!str_is_utf8(text)) {
		*ret_match = false;
		return E_OK;
	}
	match = pcre2_match_data_create_from_pattern(r->code, NULL);
	if (!match)
		return E_NOMEM;
	n = pcre2_match(r->code, (PCRE2_SPTR)subject.p, subject.n, 0, PCRE2_NO_UTF_CHECK, match, r->limits);
	if (n >= 0 && ret_group1)
		*ret_group1 = group1(match, subject);
	pcre2_match_data_free(match);
	if (n == PCRE2_ERROR_NOMEMORY)
		return E_NOMEM;
	if (n < 0 && n != PCRE2_ERROR_NOMATCH)
		return E_LIMIT;
	*ret_match = n >= 0;
	return E_OK;
}
