#include "bus/subject.h"

static enum err check_token(const char *what, struct str token, struct why *why)
{
	if (token.n == 0)
		return why_set(why, E_MALFORMED, "the %s is empty", what);
	for (size_t i = 0; i < token.n; i++) {
		unsigned char c = (unsigned char)token.p[i];

		if (c == '.' || c == '*' || c == '>')
			return why_set(why, E_MALFORMED,
				       "the %s \"%.*s\" holds '%c', which a NATS subject cannot carry", what,
				       STR_ARG(token), c);
		if (c <= ' ' || c == 0x7f)
			return why_set(why, E_MALFORMED,
				       "the %s holds white space or a control character at byte %zu, which a NATS "
				       "subject cannot carry",
				       what, i);
	}
	return E_OK;
}

enum err subject_check(struct str source, struct str name, struct why *why)
{
	if (source.n > SUBJECT_NAMES_MAX || name.n > SUBJECT_NAMES_MAX - source.n)
		return why_set(why, E_MALFORMED, "the names make a subject of more than %d bytes", SUBJECT_NAMES_MAX);
	enum err err = check_token("EventSource name", source, why);

	return err ? err : check_token("event name", name, why);
}

void subject_write(struct str source, struct str name, struct buf *ret_subject)
{
	buf_lit(ret_subject, SUBJECT_STREAM ".");
	buf_str(ret_subject, source);
	buf_char(ret_subject, '.');
	buf_str(ret_subject, name);
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '%';
}

void msg_id_write(struct str id, struct buf *ret_value)
{
	size_t from = 0;

	for (size_t i = 0; i < id.n; i++) {
		if (is_plain((unsigned char)id.p[i]))
			continue;
		buf_add(ret_value, id.p + from, i - from);
		buf_addf(ret_value, "%%%02X", (unsigned)(unsigned char)id.p[i]);
		from = i + 1;
	}
	buf_add(ret_value, id.p + from, id.n - from);
}
