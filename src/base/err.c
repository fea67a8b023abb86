#include "base/err.h"

#include <assert.h>

static const struct {
	const char *name;
	const char *text;
	int http;
	int grpc;
} rows[] = {
#define X(name, text, http, grpc) [E_##name] = { #name, text, http, grpc },
	ERRORS(X)
#undef X
};

const char *err_text(enum err err)
{
	assert(err < ERR_COUNT);
	return rows[err].text;
}

const char *err_name(enum err err)
{
	static const char *const lower[] = {
		"ok",        "malformed", "unauthenticated", "forbidden", "not_found", "timeout", "exists",
		"conflict",  "limit",     "unsupported",     "busy",      "full",      "nomem",   "unavailable",
		"cancelled", "io",        "corrupt",         "config",    "internal",
	};
	_Static_assert(sizeof(lower) / sizeof(lower[0]) == ERR_COUNT, "one name per error");

	assert(err < ERR_COUNT);
	return lower[err];
}

int err_http(enum err err)
{
	assert(err < ERR_COUNT);
	return rows[err].http;
}

int err_grpc(enum err err)
{
	assert(err < ERR_COUNT);
	return rows[err].grpc;
}
