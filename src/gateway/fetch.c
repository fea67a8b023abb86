#include "gateway/fetch.h"

#include <pthread.h>

#include "base/mem.h"
#include "net/curl_tls.h"

#define CONNECT_MS 3000L

static void start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void easy_freep(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

/* What is being received. */
struct answer_body {
	struct buf *to;
	size_t left; /* bytes that may still come */
};

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct answer_body *body = ctx;

	if (size * n > body->left)
		return 0;
	body->left -= size * n;
	buf_add(body->to, bytes, size * n);
	return body->to->err == E_OK ? size * n : 0;
}

static bool prepare(CURL *curl, const struct fetch *f, struct answer_body *body)
{
	const struct curl_tls tls = {
		.ca_file = f->ca_path, .cert_file = f->cert_path, .key_file = f->key_path, .insecure = f->insecure
	};

	curl_easy_setopt(curl, CURLOPT_URL, f->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, f->plain ? "http,https" : "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)f->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	if (f->bearer) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, f->bearer);
	}
	if (f->form)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, f->form);
	return curl_tls_set(curl, &tls);
}

/* libcurl keeps copies of what it is told here. */
static bool set_text(CURL *curl, CURLoption option, struct buf *text)
{
	const char *p = buf_cstr(text);
	bool ok = p && curl_easy_setopt(curl, option, p) == CURLE_OK;

	buf_wipe(text);
	return ok;
}

static bool sign(CURL *curl, const struct fetch_aws *aws)
{
	struct buf scheme = { 0 }, user = { .max = 512 }, password = { .max = 512 };
	bool ok;

	if (!aws)
		return true;
	buf_addf(&scheme, "aws:amz:%s:%s", aws->region, aws->service);
	buf_addf(&user, "%.*s", STR_ARG(aws->access_key));
	buf_addf(&password, "%.*s", STR_ARG(aws->secret_key));
	ok = set_text(curl, CURLOPT_AWS_SIGV4, &scheme);
	ok = set_text(curl, CURLOPT_USERNAME, &user) && ok;
	return set_text(curl, CURLOPT_PASSWORD, &password) && ok;
}

static enum err judge_transport(CURLcode code, const struct answer_body *body, struct why *why)
{
	switch (code) {
	case CURLE_OK:
		return E_OK;
	case CURLE_OPERATION_TIMEDOUT:
		return why_set(why, E_TIMEOUT, "no answer in time");
	case CURLE_WRITE_ERROR:
		return why_set(why, body->to->err == E_OK ? E_LIMIT : body->to->err, "the answer is too large");
	case CURLE_OUT_OF_MEMORY:
		return why_set(why, E_NOMEM, "%s", curl_easy_strerror(code));
	default:
		return why_set(why, E_UNAVAILABLE, "%s", curl_easy_strerror(code));
	}
}

static enum err judge_status(CURL *curl, struct why *why)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200 && status < 300)
		return E_OK;
	return why_set(why, status == 429 || status >= 500 ? E_UNAVAILABLE : E_FORBIDDEN, "the answer was %ld", status);
}

enum err fetch_run(const struct fetch *f, struct buf *ret_body, struct why *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct answer_body body = { ret_body, f->max };
	CLEANUP(easy_freep) CURL *curl = NULL;
	enum err err;

	pthread_once(&once, start_curl);
	curl = curl_easy_init();
	if (!curl)
		return why_set(why, E_NOMEM, "no memory");
	if (!prepare(curl, f, &body) || !sign(curl, f->aws))
		return why_set(why, E_NOMEM, "no memory for the request");
	err = judge_transport(curl_easy_perform(curl), &body, why);
	return err == E_OK ? judge_status(curl, why) : err;
}
