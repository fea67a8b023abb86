#include "base/err.h"

#include <assert.h>

static const struct {
	const char *name;
	const char *text;
	int grpc;
} rows[] = {
#define X(id, name, text, grpc) [E_##id] = { name, text, grpc },
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
	assert(err < ERR_COUNT);
	return rows[err].name;
}

int err_grpc(enum err err)
{
	assert(err < ERR_COUNT);
	return rows[err].grpc;
}
