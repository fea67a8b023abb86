#include "answer.h"

#include "base/str.h"

static bool parse_status(struct str line, int *ret_status)
{
	uint64_t status;

	if (!str_starts(line, STR("HTTP/1.")) || line.n < 12 || line.p[8] != ' ')
		return false;
	if (!str_to_u64(str_sub(line, 9, 3), 599, &status) || status < 100)
		return false;
	*ret_status = (int)status;
	return true;
}

static bool has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* One header line; false when the answer cannot be delimited by its length. */
static bool take_field(struct str line, struct answer *a, uint64_t *length, bool *has_length)
{
	struct str value = line;
	struct str name = str_cut(&value, ':');

	value = str_trim(value);
	if (name.n == 14 && str_eq_nocase(name, STR("content-length"))) {
		*has_length = true;
		return str_to_u64(value, 1u << 30, length);
	}
	if (name.n == 10 && str_eq_nocase(name, STR("connection")) && str_eq_nocase(value, STR("close")))
		a->close = true;
	return !(name.n == 17 && str_eq_nocase(name, STR("transfer-encoding")));
}

enum answer_state answer_parse(const char *p, size_t n, struct answer *ret)
{
	const char *end = memmem(p, n, "\r\n\r\n", 4);
	struct answer a = { 0 };
	struct str rest, line;
	uint64_t length = 0;
	bool has_length = false;

	if (!end)
		return ANSWER_MORE;
	rest = (struct str){ p, (size_t)(end - p) };
	line = str_cut(&rest, '\n');
	if (!parse_status(line, &a.status))
		return ANSWER_BAD;
	a.close = line.p[7] == '0';
	while (rest.n) {
		line = str_trim(str_cut(&rest, '\n'));
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (!take_field(line, &a, &length, &has_length))
			return ANSWER_BAD;
	}
	if (has_no_body(a.status))
		length = 0;
	else if (!has_length)
		return ANSWER_BAD;
	a.size = (size_t)(end - p) + 4 + (size_t)length;
	*ret = a;
	return ANSWER_HEAD;
}
