#include "auth/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "auth/regex_syntax.h"

#define STEPS_MAX    200000 /* of a match: some ms at most */
#define HEAP_KIB_MAX 1024
#define OPTIONS      (PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP)

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

static enum err refuse(struct why *why, struct str pattern, size_t at, const char *what)
{
	return why_set(why, E_CONFIG, "'%.*s': column %zu: %s", STR_ARG(pattern), at + 1, what);
}

static enum err refuse_pcre2(struct why *why, struct str pattern, size_t at, int problem)
{
	PCRE2_UCHAR text[128] = "";

	if (problem == PCRE2_ERROR_NOMEMORY || problem == PCRE2_ERROR_HEAP_FAILED)
		return why_set(why, E_NOMEM, "read an expression");
	(void)pcre2_get_error_message(problem, text, sizeof(text));
	return refuse(why, pattern, at, (const char *)text);
}

static enum err check(struct str pattern, struct why *why)
{
	const char *what;
	size_t at;
	char said[96];

	if (pattern.n == 0)
		return why_set(why, E_CONFIG, "the expression is empty");
	if (pattern.n > REGEX_MAX)
		return why_set(why, E_CONFIG, "the expression is longer than %d bytes", REGEX_MAX);
	if (regex_syntax_ok(pattern, &at, &what))
		return E_OK;
	(void)snprintf(said, sizeof(said), "%s, which is not supported", what);
	return refuse(why, pattern, at, said);
}

/* A text's bytes that are no UTF-8 match nothing. An expression that is none itself is one of bytes. */
static enum err compile(struct regex *r, pcre2_general_context *memory, struct str pattern, struct why *why)
{
	pcre2_compile_context *ctx = pcre2_compile_context_create(memory);
	uint32_t utf = str_is_utf8(pattern) ? PCRE2_UTF | PCRE2_MATCH_INVALID_UTF : 0;
	PCRE2_SIZE at = 0;
	int problem = PCRE2_ERROR_NOMEMORY;

	if (ctx)
		r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, OPTIONS | utf, &problem, &at, ctx);
	pcre2_compile_context_free(ctx);
	if (!r->code)
		return refuse_pcre2(why, pattern, at, problem);
	(void)pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &r->groups);
	r->limits = pcre2_match_context_create(memory);
	if (!r->limits)
		return why_set(why, E_NOMEM, "read an expression");
	(void)pcre2_set_match_limit(r->limits, STEPS_MAX);
	(void)pcre2_set_heap_limit(r->limits, HEAP_KIB_MAX);
	return E_OK;
}

enum err regex_new(struct str pattern, struct why *why, struct regex **ret_regex)
{
	pcre2_general_context *memory = pcre2_general_context_create(on_alloc, on_free, NULL);
	CLEANUP(regex_freep) struct regex *r = mem_alloc(sizeof(*r));
	enum err err = check(pattern, why);

	if (err == E_OK)
		err = memory && r ? compile(r, memory, pattern, why) : why_set(why, E_NOMEM, "read an expression");
	pcre2_general_context_free(memory);
	if (err == E_OK)
		*ret_regex = TAKE(r);
	return err;
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
	pcre2_match_data *match = pcre2_match_data_create_from_pattern(r->code, NULL);
	struct str subject = text.p ? text : STR("");
	int n;

	if (!match)
		return E_NOMEM;
	n = pcre2_match(r->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, match, r->limits);
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
