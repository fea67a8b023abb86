#include "filter/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>

#include "base/mem.h"
#include "base/re2.h"
#include "filter/limits.h"
#include "filter/rune.h"

/* What pcre2_dfa_match() wants: 20, and three numbers for each place in each of two lists. */
#define WORKSPACE (20 + 6 * FILTER_STATES_MAX)

struct pattern {
	pcre2_general_context *memory;
	pcre2_code *code;
	size_t length; /* of the pattern with its counts written out: what a match costs */
};

static void *give(PCRE2_SIZE n, void *unused)
{
	(void)unused;
	return mem_alloc(n);
}

static void take_back(void *p, void *unused)
{
	(void)unused;
	mem_free(p);
}

void pattern_free(struct pattern *x)
{
	if (!x)
		return;
	if (x->code)
		pcre2_code_free(x->code);
	if (x->memory)
		pcre2_general_context_free(x->memory);
	mem_free(x);
}

DEFINE_FREEP(pattern, struct pattern, pattern_free)

/* ---- what it costs ------------------------------------------------------------------------------------------------------ */

#define PLACE 4 /* bytes: what stands for one place of a pattern, and is compared as often */

/* The bracket that closes a class, which is one character. */
static size_t skip_class(struct str pattern, size_t i)
{
	size_t first = i + 1 + (i + 1 < pattern.n && pattern.p[i + 1] == '^');

	for (i = first; i < pattern.n && (pattern.p[i] != ']' || i == first); i++)
		i += pattern.p[i] == '\\';
	return i;
}

/* The last byte of an escape; the braces of \x{41} and \p{Greek} are part of it. */
static size_t skip_escape(struct str pattern, size_t i)
{
	struct str rest = str_sub(pattern, i + 1, pattern.n);

	if (rest.n > 1 && (rest.p[0] == 'x' || rest.p[0] == 'p' || rest.p[0] == 'P') && rest.p[1] == '{')
		return i + 1 + str_find(rest, '}');
	return i + 1;
}

static bool is_digit(struct str s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

/* The last number of {n}, {n,} or {n,m}; 0: it is no repetition. */
static uint64_t count_at(struct str braces)
{
	uint64_t n = 0;

	for (size_t i = 1; is_digit(braces, i) && n <= RE2_REPEAT_MAX; i++) {
		n = n * 10 + (uint64_t)(braces.p[i] - '0');
		if (i + 1 < braces.n && braces.p[i + 1] == ',' && is_digit(braces, i + 2)) {
			n = 0;
			i++;
		}
	}
	return n;
}

/* Places that counts add: three for x{4}, as xxxx has; counts in what is counted multiply. At most those that a text can reach. */
static size_t counted_places(struct str pattern)
{
	uint64_t outer[FILTER_PATTERN_MAX], places = 0, before = 0, added = 0;
	size_t depth = 0;

	for (size_t i = 0; i < pattern.n && added < FILTER_STATES_MAX; i++) {
		uint64_t count = pattern.p[i] == '{' ? count_at(str_sub(pattern, i, pattern.n)) : 0;

		if (count > 1) {
			added += (places - before) * (count - 1);
			places += (places - before) * (count - 1);
		} else if (pattern.p[i] == ')' && depth) {
			before = outer[--depth];
		} else if (pattern.p[i] == '(') {
			outer[depth++] = places;
		} else {
			before = places++;
			i = pattern.p[i] == '['    ? skip_class(pattern, i)
			    : pattern.p[i] == '\\' ? skip_escape(pattern, i)
						   : i;
		}
	}
	return added < FILTER_STATES_MAX ? (size_t)added : FILTER_STATES_MAX;
}

/* ---- compiled ----------------------------------------------------------------------------------------------------------- */

/*
 * Anchored behind a prefix that takes anything, the matcher follows all places where a match could begin at once: one pass,
 * where trying each beginning for itself would be a pass for each.
 */
static enum err compile(struct pattern *x, struct str pattern, struct why *why)
{
	uint32_t options = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C |
			   PCRE2_NO_START_OPTIMIZE;
	pcre2_compile_context *context = pcre2_compile_context_create(x->memory);
	char text[160] = "";
	PCRE2_SIZE at;
	int code;

	if (!context)
		return why_set(why, E_NOMEM, "regular expression");
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	x->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.n, options, &code, &at, context);
	pcre2_compile_context_free(context);
	if (x->code)
		return E_OK;
	if (code == PCRE2_ERROR_HEAP_FAILED)
		return why_set(why, E_NOMEM, "regular expression");
	(void)pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
	return why_set(why, E_MALFORMED, "the regular expression is not valid: %s", text);
}

enum err pattern_new(struct str text, struct why *why, struct pattern **ret_pattern)
{
	CLEANUP(pattern_freep) struct pattern *x = mem_alloc(sizeof(*x));
	struct buf translated = { 0 };
	enum err err;

	if (text.n > FILTER_PATTERN_MAX)
		return why_set(why, E_LIMIT, "the regular expression is longer than %d bytes", FILTER_PATTERN_MAX);
	if (x)
		x->memory = pcre2_general_context_create(give, take_back, NULL);
	if (!x || !x->memory)
		return why_set(why, E_NOMEM, "regular expression");
	x->length = text.n + PLACE * counted_places(text);
	buf_lit(&translated, "(?s:.*?)(?:");
	err = re2_translate(text, /* captures= */ false, &translated, why);
	buf_char(&translated, ')');
	if (err == E_OK && translated.err != E_OK)
		err = why_set(why, translated.err, "regular expression");
	if (err == E_OK)
		err = compile(x, buf_view(&translated), why);
	buf_release(&translated);
	if (err == E_OK)
		*ret_pattern = TAKE(x);
	return err;
}

/* Each character costs what can be reached there, at most the places of the pattern, compared pairwise. */
static uint64_t cost_of(const struct pattern *x, size_t n)
{
	uint64_t places = x->length / 16;

	return 1 + (n / 4 + 1) * (1 + places * places);
}

static enum err match(struct run *r, const struct pattern *x, struct str text, bool *ret_yes)
{
	int workspace[WORKSPACE];
	pcre2_match_data *data;
	int found;

	if (!run_step(r, cost_of(x, text.n)))
		return r->err;
	data = pcre2_match_data_create(1, x->memory);
	if (!data)
		return run_fail(r, E_NOMEM, "no memory");
	found = pcre2_dfa_match(x->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0,
				PCRE2_DFA_SHORTEST | PCRE2_NO_UTF_CHECK, data, NULL, workspace, WORKSPACE);
	pcre2_match_data_free(data);
	*ret_yes = found >= 0;
	if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
		return E_OK;
	if (found == PCRE2_ERROR_NOMEMORY)
		return run_fail(r, E_NOMEM, "no memory");
	return run_fail(r, E_LIMIT, "the regular expression is too much for this text: error %d", found);
}

/* The matcher reads UTF-8 only. */
static struct str repaired(struct run *r, struct str s)
{
	struct buf b = run_buf(r);

	if (str_is_utf8(s))
		return s;
	rune_repair(s, &b);
	return run_keep(r, &b);
}

enum err pattern_match(struct run *r, const struct pattern *pattern, struct str own, struct str text, bool *ret_yes)
{
	CLEANUP(pattern_freep) struct pattern *compiled = NULL;
	struct why why;
	enum err err;

	text = repaired(r, text);
	if (r->err != E_OK)
		return r->err;
	if (!pattern) {
		if (!run_step(r, 100 + own.n))
			return r->err;
		err = pattern_new(own, &why, &compiled);
		if (err != E_OK)
			return run_fail(r, err, "%s", why.text);
		assert(compiled);
	}
	return match(r, pattern ? pattern : compiled, text, ret_yes);
}
