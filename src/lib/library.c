#include "holdfast/holdfast.h"

#include <pthread.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "lib/lib.h"

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *hf_version(void)
{
	return TEXT(HF_VERSION_MAJOR) "." TEXT(HF_VERSION_MINOR) "." TEXT(HF_VERSION_PATCH);
}

static const char *const texts[] = {
	[HF_OK] = "ok",
	[HF_MALFORMED] = "malformed input",
	[HF_NOT_FOUND] = "not found",
	[HF_LIMIT] = "over a limit",
	[HF_UNSUPPORTED] = "not supported",
	[HF_BUSY] = "in use by another process",
	[HF_FULL] = "the store is full",
	[HF_NOMEM] = "out of memory",
	[HF_UNAVAILABLE] = "the disk is unavailable",
	[HF_IO] = "input or output failed",
	[HF_CORRUPT] = "stored data is corrupt",
	[HF_INTERNAL] = "unexpected condition",
	[HF_BAD_ARGUMENT] = "bad argument",
	[HF_DENIED] = "permission denied",
};

const char *hf_strerror(enum hf_error error)
{
	if ((unsigned)error >= ARRAY_LEN(texts))
		return "unknown error";
	return texts[error];
}

static pthread_once_t log_is_set = PTHREAD_ONCE_INIT;

static void set_log(void)
{
	log_setup(/* fd= */ -1, LOG_ERROR, LOG_FORMAT_JSON);
}

void lib_no_log(void)
{
	pthread_once(&log_is_set, set_log);
}

void hf_free(void *p)
{
	mem_free(p);
}

enum hf_error lib_error(enum err err)
{
	switch (err) {
	case E_OK:
		return HF_OK;
	case E_MALFORMED:
		return HF_MALFORMED;
	case E_FORBIDDEN:
		return HF_DENIED;
	case E_NOT_FOUND:
		return HF_NOT_FOUND;
	case E_LIMIT:
		return HF_LIMIT;
	case E_UNSUPPORTED:
		return HF_UNSUPPORTED;
	case E_BUSY:
		return HF_BUSY;
	case E_FULL:
		return HF_FULL;
	case E_NOMEM:
		return HF_NOMEM;
	case E_UNAVAILABLE:
		return HF_UNAVAILABLE;
	case E_IO:
		return HF_IO;
	case E_CORRUPT:
		return HF_CORRUPT;
	default: /* what only a server can say */
		return HF_INTERNAL;
	}
}

enum hf_error lib_fail(const struct why *why, struct hf_why *ret_why)
{
	enum hf_error error = lib_error(why->err);
	if (ret_why) {
		ret_why->error = error;
		(void)snprintf(ret_why->text, sizeof(ret_why->text), "%s",
			       why->text[0] ? why->text : hf_strerror(error));
	}
	return error;
}

enum hf_error lib_misuse(struct hf_why *ret_why, const char *text)
{
	if (ret_why) {
		ret_why->error = HF_BAD_ARGUMENT;
		(void)snprintf(ret_why->text, sizeof(ret_why->text), "%s", text);
	}
	return HF_BAD_ARGUMENT;
}
