#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum err why_set(struct why *why, enum err err, const char *format, ...)
{
	va_list args;

	if (!why)
		return err;
	why->err = err;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return err;
}

enum err why_errno(struct why *why, enum err err, int errno_value, const char *format, ...)
{
	char reason[96];
	va_list args;
	int n;

	if (!why)
		return err;
	why->err = err;
	va_start(args, format);
	n = vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < sizeof(why->text))
		(void)snprintf(why->text + n, sizeof(why->text) - (size_t)n, ": %s",
			       strerror_r(errno_value, reason, sizeof(reason)));
	return err;
}

enum err why_add(struct why *why, const char *format, ...)
{
	char inner[sizeof(why->text)];
	va_list args;
	int n;

	if (!why)
		return E_INTERNAL;
	if (why->err == E_OK) /* who failed told nothing: it must not turn into a success */
		*why = (struct why){ .err = E_INTERNAL, .text = "failed without a reason" };
	memcpy(inner, why->text, sizeof(inner));
	va_start(args, format);
	n = vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	if (n >= 0 && (size_t)n + 3 < sizeof(why->text)) /* with a precision gcc's sanitizer builds see that it fits */
		(void)snprintf(why->text + n, sizeof(why->text) - (size_t)n, ": %.*s", (int)sizeof(inner) - n - 3,
			       inner);
	return why->err;
}

const char *why_text(const struct why *why, enum err err)
{
	return why->text[0] ? why->text : err_text(err);
}
