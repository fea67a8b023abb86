#include "cli/gateway_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

#define FILE_MAX_BYTES 4096
#define ANSWER_MAX     (16 << 20)
#define CONNECT_MS     2000L
#define ANSWER_MS      60000L
#define WORDS_MAX      200 /* of an error answer, in the story */

static enum err read_file(const char *path, char *ret_text, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return why_set(why, E_NOT_FOUND, "no holdfast runs there: %s is missing", path);
	if (fd < 0 && errno == EACCES)
		return why_set(why, E_FORBIDDEN, "read %s: this user may not: use sudo, or the user of the service",
			       path);
	if (fd < 0)
		return why_errno(why, E_IO, errno, "read %s", path);
	n = read(fd, ret_text, FILE_MAX_BYTES - 1);
	(void)close(fd);
	if (n < 0)
		return why_errno(why, E_IO, errno, "read %s", path);
	ret_text[n] = '\0';
	return E_OK;
}

/* A copy of the text under `key`. */
static enum err take_text(json_object *object, const char *key, char **ret_text)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
		return E_NOT_FOUND;
	*ret_text = str_dup(str_of(json_object_get_string(value)));
	return *ret_text ? E_OK : E_NOMEM;
}

enum err gateway_client_init(struct gateway_client *c, const char *dir, struct why *why)
{
	char path[PATH_MAX], text[FILE_MAX_BYTES];
	json_object *object;
	enum err err;

	*c = (struct gateway_client){ 0 };
	if (snprintf(path, sizeof(path), "%s/admin.json", dir) >= (int)sizeof(path))
		return why_set(why, E_NOT_FOUND, "the path of the data directory is too long");
	err = read_file(path, text, why);
	if (err != E_OK)
		return err;
	object = json_tokener_parse(text);
	err = take_text(object, "address", &c->address);
	if (err == E_OK)
		err = take_text(object, "token", &c->token);
	json_object_put(object);
	if (err == E_OK)
		return E_OK;
	gateway_client_release(c);
	return why_set(why, err, "read %s: %s", path,
		       err == E_NOMEM ? err_text(err) : "it is not what holdfast writes");
}

void gateway_client_release(struct gateway_client *c)
{
	mem_free(TAKE(c->address));
	mem_free(TAKE(c->token));
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct buf *body = ctx;

	buf_add(body, bytes, size * n);
	return body->err == E_OK ? size * n : 0;
}

static enum err judge_transport(CURLcode code, const char *address, struct why *why)
{
	switch (code) {
	case CURLE_OK:
		return E_OK;
	case CURLE_COULDNT_CONNECT:
		return why_set(why, E_UNAVAILABLE, "nobody listens on %s", address);
	case CURLE_OPERATION_TIMEDOUT:
		return why_set(why, E_TIMEOUT, "holdfast on %s does not answer", address);
	default:
		return why_set(why, E_IO, "ask holdfast on %s: %s", address, curl_easy_strerror(code));
	}
}

static enum err judge_status(long status, const char *path, struct str words, struct why *why)
{
	words = str_trim(str_cut(&words, '\n'));
	if (status == 200)
		return E_OK;
	if (status == 401 || status == 403)
		return why_set(why, E_FORBIDDEN, "holdfast did not take the token of its admin.json");
	if (str_is(words, "404 page not found"))
		return why_set(why, E_UNSUPPORTED,
			       "the process of this data directory cannot do this: give another --data-dir");
	if ((status == 404 || status == 409) && words.n)
		return why_set(why, E_UNSUPPORTED, "%.*s", STR_ARG(str_sub(words, 0, WORDS_MAX)));
	return why_set(why, E_UNSUPPORTED, "holdfast answered %ld to %s: %.*s", status, path,
		       STR_ARG(str_sub(words, 0, WORDS_MAX)));
}

static void prepare(CURL *curl, const char *method, const char *url, struct curl_slist *headers, struct buf *body)
{
	if (strcmp(method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the token is for this machine only */
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
}

static enum err perform(CURL *curl, const struct gateway_client *c, const char *path, const struct buf *body,
			struct why *why)
{
	size_t before = body->n;
	long status = 0;
	enum err err = judge_transport(curl_easy_perform(curl), c->address, why);

	if (err != E_OK)
		return err;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return judge_status(status, path, str_sub(buf_view(body), before, SIZE_MAX), why);
}

enum err gateway_client_call(const struct gateway_client *c, const char *method, const char *path, struct why *why,
			     struct buf *ret_body)
{
	struct buf url = { .max = 4096 }, header = { .max = 4096 };
	struct curl_slist *headers = NULL;
	CURL *curl = curl_easy_init();
	enum err err = E_NOMEM;

	ret_body->max = ANSWER_MAX;
	buf_addf(&url, "%s%s", c->address, path);
	buf_addf(&header, "Authorization: Bearer %s", c->token);
	if (buf_cstr(&header))
		headers = curl_slist_append(NULL, header.p);
	if (curl && headers && buf_cstr(&url)) {
		prepare(curl, method, url.p, headers, ret_body);
		err = perform(curl, c, path, ret_body, why);
	} else {
		why_set(why, err, "ask holdfast: %s", err_text(err));
	}
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	buf_release(&url);
	buf_release(&header);
	return err;
}
