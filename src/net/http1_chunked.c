#include <assert.h>

#include "base/hex.h"
#include "net/http1.h"

/*
 *   SIZE --;--> EXT --CR--+
 *    |                    v
 *    +-------CR-------> SIZE_LF --size > 0--> DATA --> DATA_CR --> DATA_LF --> SIZE
 *                         |
 *                         +------size 0-----> TRAILER --CR--> LAST_LF --> END
 *                                              |   ^
 *                                         NAME +   +-- VALUE_LF <--CR-- VALUE <--:-- NAME              */
enum state { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, NAME, VALUE, VALUE_LF, LAST_LF, END };

static const char *const bad_size = "400 Bad Request: malformed chunk size";
static const char *const bad_end = "400 Bad Request: a chunk or its size line does not end in CR LF";
static const char *const bad_ext = "400 Bad Request: send no chunk extensions, or shorter ones";
static const char *const bad_trailer = "400 Bad Request: malformed trailer section";
static const char *const long_trailer = "431 Request Header Fields Too Large: send fewer or shorter trailer fields";

/* Each step takes one byte; it returns NULL, or what is wrong with it. */
typedef const char *step(struct http1_chunked *c, char byte);

static const char *in_size(struct http1_chunked *c, char byte)
{
	int digit = hex_value(byte);

	if (digit >= 0) {
		if (++c->digits > 16)
			return bad_size;
		c->left = c->left << 4 | (unsigned)digit;
		return NULL;
	}
	if (c->digits == 0 || (byte != ';' && byte != '\r'))
		return bad_size;
	c->digits = 0;
	c->ext = 0;
	c->state = byte == ';' ? EXT : SIZE_LF;
	return NULL;
}

static const char *in_ext(struct http1_chunked *c, char byte)
{
	if (byte == '\r') {
		c->state = SIZE_LF;
		return NULL;
	}
	if (!http1_is_text(byte))
		return bad_end;
	if (++c->ext > HTTP1_CHUNK_EXT_MAX || ++c->ext_sum > HTTP1_CHUNK_EXT_SUM_MAX)
		return bad_ext;
	return NULL;
}

static const char *after(struct http1_chunked *c, char byte, char want, enum state next, const char *wrong)
{
	if (byte != want)
		return wrong;
	c->state = next;
	return NULL;
}

static const char *in_size_lf(struct http1_chunked *c, char byte)
{
	return after(c, byte, '\n', c->left ? DATA : TRAILER, bad_end);
}

static const char *in_data_cr(struct http1_chunked *c, char byte)
{
	return after(c, byte, '\r', DATA_LF, bad_end);
}

static const char *in_data_lf(struct http1_chunked *c, char byte)
{
	return after(c, byte, '\n', SIZE, bad_end);
}

static const char *in_trailer(struct http1_chunked *c, char byte)
{
	if (byte == '\r')
		return after(c, byte, '\r', LAST_LF, bad_trailer);
	c->state = NAME;
	return http1_is_token(byte) ? NULL : bad_trailer;
}

static const char *in_name(struct http1_chunked *c, char byte)
{
	return http1_is_token(byte) ? NULL : after(c, byte, ':', VALUE, bad_trailer);
}

static const char *in_value(struct http1_chunked *c, char byte)
{
	return http1_is_text(byte) ? NULL : after(c, byte, '\r', VALUE_LF, bad_trailer);
}

static const char *in_value_lf(struct http1_chunked *c, char byte)
{
	return after(c, byte, '\n', TRAILER, bad_trailer);
}

static const char *in_last_lf(struct http1_chunked *c, char byte)
{
	return after(c, byte, '\n', END, bad_trailer);
}

static step *const steps[] = {
	[SIZE] = in_size,       [EXT] = in_ext,   [SIZE_LF] = in_size_lf,   [DATA_CR] = in_data_cr,
	[DATA_LF] = in_data_lf, [NAME] = in_name, [TRAILER] = in_trailer,   [VALUE] = in_value,
	[LAST_LF] = in_last_lf, [END] = NULL,     [VALUE_LF] = in_value_lf,
};

static enum http1_result take_data(struct http1_chunked *c, struct str *in, struct str *ret_data)
{
	*ret_data = str_sub(*in, 0, c->left < in->n ? (size_t)c->left : in->n);
	*in = str_sub(*in, ret_data->n, in->n);
	c->left -= ret_data->n;
	if (c->left == 0)
		c->state = DATA_CR;
	return HTTP1_DATA;
}

enum http1_result http1_chunked(struct http1_chunked *c, struct str *in, struct str *ret_data,
				struct http1_error *ret_error)
{
	while (in->n) {
		const char *wrong;

		if (c->state == DATA)
			return take_data(c, in, ret_data);
		assert(c->state < END);
		wrong = steps[c->state](c, in->p[0]);
		if (!wrong && c->state >= TRAILER && ++c->trailer_sum > HTTP1_TRAILER_MAX)
			wrong = long_trailer;
		if (wrong) {
			*ret_error = (struct http1_error){ wrong == long_trailer ? 431 : 400, wrong };
			return HTTP1_BAD;
		}
		*in = str_sub(*in, 1, in->n);
		if (c->state == END)
			return HTTP1_DONE;
	}
	return HTTP1_MORE;
}
