#include "gateway/hooks/account_impl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/hooks/aws_role.h"
#include "gateway/hooks/text.h"
#include "net/curl_tls.h"

#define CONNECT_MS 10000L
#define ANSWER_MS  30000L
#define ANSWER_MAX (8u << 20)

struct account *account_new(struct gateway_config *config, struct login *login, CURLM *multi)
{
	struct account *a = mem_alloc(sizeof(*a));

	if (!a)
		return NULL;
	*a = (struct account){ .login = *login, .multi = multi };
	login->base = (struct buf){ 0 };
	a->curl = curl_easy_init();
	if (!a->curl || !buf_cstr(&a->login.base)) {
		account_free(a);
		return NULL;
	}
	a->config = gateway_config_ref(config);
	secret_file_init(&a->first, login->first->path);
	if (login->second && login->second->path)
		secret_file_init(&a->second, login->second->path);
	return a;
}

void account_free(struct account *a)
{
	if (!a)
		return;
	account_cancel(a);
	curl_easy_cleanup(a->curl);
	secret_file_release(&a->first);
	secret_file_release(&a->second);
	buf_release(&a->login.base);
	buf_release(&a->answer);
	buf_release(&a->space);
	buf_wipe(&a->token);
	if (a->config)
		gateway_config_unref(a->config);
	mem_free(a);
}

static bool same_path(const char *a, const char *b)
{
	return str_eq(str_of(a), str_of(b));
}

bool account_is(const struct account *a, const struct login *login)
{
	return a->login.kind == login->kind && str_eq(buf_view(&a->login.base), buf_view(&login->base)) &&
	       same_path(a->first.path, login->first->path) &&
	       same_path(a->second.path, login->second ? login->second->path : NULL) &&
	       a->login.app_id == login->app_id && a->login.installation_id == login->installation_id &&
	       same_path(a->login.region, login->region) && same_path(a->login.role_arn, login->role_arn) &&
	       same_path(a->login.ca_path, login->ca_path) && same_path(a->login.cert_path, login->cert_path) &&
	       same_path(a->login.key_path, login->key_path) && a->login.insecure == login->insecure;
}

/* ---- the request -------------------------------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct account *a = ctx;

	buf_add(&a->answer, bytes, size * n);
	return a->answer.err == E_OK ? size * n : 0;
}

static bool set_tls(CURL *curl, const struct login *l)
{
	const struct curl_tls tls = {
		.ca_file = l->ca_path, .cert_file = l->cert_path, .key_file = l->key_path, .insecure = l->insecure
	};

	return curl_tls_set(curl, &tls);
}

static enum err set_request(struct account *a, struct why *why)
{
	struct hook_request *r = &a->request;
	struct buf url = { 0 };
	CURL *curl = a->curl;
	bool ok;

	if (a->logging_in && a->login.kind == LOGIN_ROLE)
		aws_role_base(&a->login, &url);
	else
		buf_str(&url, buf_view(&a->login.base));
	buf_str(&url, buf_view(&r->path));
	ok = buf_cstr(&url) && curl_easy_setopt(curl, CURLOPT_URL, url.p) == CURLE_OK;
	buf_release(&url);
	if (r->body.n) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body.p);
		ok = ok &&
		     account_add_field(a, "Content-Type",
				       r->form ? STR("application/x-www-form-urlencoded") : STR("application/json"));
	} else if (str_is(str_of(r->method), "POST")) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	ok = ok && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method) == CURLE_OK && set_tls(curl, &a->login);
	/* On a connection that was used before, libcurl sends again what got no answer: a hook could be made twice. */
	if (!str_is(str_of(r->method), "GET"))
		curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	if (r->once)
		ok = ok && account_add_field(a, "Idempotency-Key", str_of(a->busy->once));
	return ok ? E_OK : why_set(why, E_NOMEM, "no memory for the request");
}

static void set_transfer(struct account *a)
{
	CURL *curl = a->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, a);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR,
			 str_starts(buf_view(&a->login.base), STR("http://")) ? "http,https" : "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ANSWER_MS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, a->error);
	a->error[0] = '\0';
}

static enum err write_request(struct account *a, struct why *why)
{
	if (!a->logging_in)
		return hook_request(a->busy, &a->request) == E_OK ? E_OK
								  : why_set(why, E_NOMEM, "no memory for the request");
	account_ask_login(a);
	return a->request.path.err != E_OK ? a->request.path.err : a->request.body.err;
}

static bool is_aws(const struct account *a)
{
	return a->login.kind == LOGIN_AWS || a->login.kind == LOGIN_ROLE;
}

enum err account_start(struct account *a, struct hook *h, struct why *why)
{
	enum err err;

	a->busy = h;
	a->logging_in = !account_is_logged_in(a);
	a->token_unused = false;
	a->answer.max = ANSWER_MAX;
	buf_clear(&a->answer);
	set_transfer(a);
	err = write_request(a, why);
	if (err == E_OK && !account_add_field(a, "Accept", is_aws(a) ? STR("*/*") : STR("application/json")))
		err = why_set(why, E_NOMEM, "no memory for the request");
	if (err == E_OK)
		err = set_request(a, why);
	if (err == E_OK)
		err = account_log_in(a, why);
	if (err == E_OK) {
		curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, a->fields);
		a->under_way = curl_multi_add_handle(a->multi, a->curl) == CURLM_OK;
		if (!a->under_way)
			err = why_set(why, E_NOMEM, "no memory for the transfer");
	}
	if (err != E_OK)
		account_forget(a);
	return err;
}

void account_forget(struct account *a)
{
	for (struct curl_slist *f = a->fields; f; f = f->next)
		explicit_bzero(f->data, strlen(f->data));
	curl_slist_free_all(a->fields);
	a->fields = NULL;
	hook_request_release(&a->request);
	a->busy = NULL;
}

void account_cancel(struct account *a)
{
	if (a->under_way)
		curl_multi_remove_handle(a->multi, a->curl);
	a->under_way = false;
	account_forget(a);
}

/* ---- the answer --------------------------------------------------------------------------------------------------------- */

static struct str field_of(CURL *curl, const char *name, const char *otherwise)
{
	struct curl_header *field = NULL;

	if (curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &field) == CURLHE_OK && *field->value)
		return str_of(field->value);
	return otherwise ? field_of(curl, otherwise, NULL) : (struct str){ 0 };
}

static enum err judge_transfer(const struct account *a, CURLcode code, struct why *why)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return why_set(why, E_TIMEOUT, "no answer in time");
	if (code == CURLE_WRITE_ERROR)
		return why_set(why, a->answer.err == E_NOMEM ? E_NOMEM : E_LIMIT, "the answer is too large");
	return why_set(why, code == CURLE_OUT_OF_MEMORY ? E_NOMEM : E_UNAVAILABLE, "%s",
		       a->error[0] ? a->error : curl_easy_strerror(code));
}

static void judge_answer(struct account *a, struct account_outcome *o)
{
	struct pace_fields f = {
		.remaining = field_of(a->curl, "X-RateLimit-Remaining", "RateLimit-Remaining"),
		.reset = field_of(a->curl, "X-RateLimit-Reset", "RateLimit-Reset"),
	};
	curl_off_t retry_after = 0;
	long status = 0;

	curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(a->curl, CURLINFO_RETRY_AFTER, &retry_after);
	f.retry_after_s = retry_after > 0 ? (uint64_t)retry_after : 0;
	o->answer.status = status > 0 ? (unsigned)status : 0;
	o->pace = pace_judge(o->answer.status, &f, clock_wall_ms() / 1000, &o->wait_ms);
	o->answer.link = field_of(a->curl, "Link", NULL);
	o->answer.next_page = field_of(a->curl, "X-Next-Page", NULL);
	o->answer.body = hook_body(a->busy->provider, buf_view(&a->answer), &a->space);
}

void account_finish(struct account *a, CURLcode code, struct account_outcome *ret_outcome, struct why *why)
{
	*ret_outcome = (struct account_outcome){ .pace = PACE_LATER };
	a->under_way = false;
	if (code != CURLE_OK)
		ret_outcome->err = judge_transfer(a, code, why);
	else
		judge_answer(a, ret_outcome);
}
