#include "backend/kubernetes.h"

#include <assert.h>

#include "auth/regex.h"
#include "backend/kubernetes_impl.h"
#include "base/log.h"
#include "base/rand.h"

#define LOGGER         "kubernetes"
#define RETRY_BASE_MS  500
#define RETRY_CAP_MS   30000
#define TOKEN_FRESH_MS 60000 /* read again after that: a pod's is renewed each hour, long before it ends */

/* Beside one for each watch, where the server speaks HTTP/1.1 alone. */
#define CONNECTIONS    8

#define X(field, kind, title, text) \
	static const struct metric_family field##_family = { .name = title, .help = text, .type = METRIC_##kind };
KUBERNETES_METRICS(X)
#undef X

static struct kubernetes *of(struct backend *b)
{
	return CONTAINER_OF(b, struct kubernetes, base);
}

void kube_problem(struct kubernetes *k, bool bad, const struct why *why)
{
	if (k->watching)
		k->watcher.on_problem(k->watcher.ctx, why, bad);
}

/* ---- who we are ----------------------------------------------------------------------------------------------------- */

/* Without a new one the last one is used: it may still be good. */
static void read_token(struct kubernetes *k)
{
	struct buf fresh = { 0 };
	struct why why = { 0 };

	k->token_until_ms = k->loop->now_ms + TOKEN_FRESH_MS;
	if (kubernetes_config_token(k->config, &why, &fresh) == E_OK && fresh.err == E_OK) {
		buf_wipe(&k->token);
		k->token = fresh;
		return;
	}
	log_warn(LOGGER, "the token cannot be read: the last one is used", LOG_WHY(&why));
	buf_wipe(&fresh);
}

const char *kube_bearer(struct kubernetes *k, struct buf *ret_text)
{
	if (k->loop->now_ms >= k->token_until_ms)
		read_token(k);
	if (!k->token.n)
		return NULL;
	buf_clear(ret_text);
	buf_str(ret_text, buf_view(&k->token));
	return buf_cstr(ret_text);
}

void kube_forget_token(struct kubernetes *k)
{
	k->token_until_ms = 0;
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

enum err kube_client_new(struct loop *loop, const struct kubernetes_config *c, unsigned connections, struct why *why,
			 struct http_client **ret_client)
{
	struct http_client_options options = { .origin = c->server,
					       .ca_file = c->ca_file,
					       .ca = buf_view(&c->ca),
					       .cert_file = c->cert_file,
					       .cert = buf_view(&c->cert),
					       .key_file = c->key_file,
					       .key = buf_view(&c->key),
					       .server_name = c->tls_server_name,
					       .proxy = c->proxy,
					       .insecure = c->insecure,
					       .connections = connections };

	return http_client_new(loop, &options, why, ret_client);
}

uint64_t kube_backoff_ms(unsigned failures, uint64_t retry_after_ms)
{
	uint64_t step_ms = (uint64_t)RETRY_BASE_MS << (failures < 6 ? failures : 6), wait_ms;

	if (step_ms > RETRY_CAP_MS)
		step_ms = RETRY_CAP_MS;
	wait_ms = 1 + rand_u64() % step_ms;
	return retry_after_ms > wait_ms ? retry_after_ms : wait_ms;
}

void kube_escape(struct buf *to, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			buf_char(to, (char)c);
		else
			buf_addf(to, "%%%02X", c);
	}
}

/* ---- ends ----------------------------------------------------------------------------------------------------------- */

static void release(struct kubernetes *k)
{
	kube_scopes_release(k);
	kube_entries_release(k);
	kubernetes_config_free(k->config);
	buf_wipe(&k->token);
	regex_free(k->namespace_pattern);
	buf_release(&k->namespace_labels);
	metrics_free(k->own_metrics);
	mem_free(k);
}

static void on_client_closed(void *ctx)
{
	struct kubernetes *k = ctx;
	void (*on_closed)(void *ctx) = k->on_closed;
	void *closed_ctx = k->closed_ctx;

	release(k);
	on_closed(closed_ctx);
}

static void run_refused(struct kubernetes *k)
{
	struct backend_write *w = TAKE(k->refused);

	while (w) {
		struct backend_write *next = w->backend_data;

		kube_write_done(k, w, w->err, NULL);
		w = next;
	}
}

static void on_look(struct loop_task *task)
{
	struct kubernetes *k = CONTAINER_OF(task, struct kubernetes, look);

	k->looking = false;
	run_refused(k);
	if (k->watching && !k->synced && kube_scopes_synced(k)) {
		k->synced = true;
		k->watcher.on_synced(k->watcher.ctx);
	}
	if (k->closing && !k->looking && !k->writes && kube_scopes_idle(k)) {
		k->closing = false;
		http_client_close(k->client, on_client_closed, k);
	}
}

void kube_look(struct kubernetes *k)
{
	if (k->looking)
		return;
	k->looking = true;
	loop_post(k->loop, &k->look);
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static enum err start(struct backend *b, const struct backend_watcher *watcher, struct why *why)
{
	struct kubernetes *k = of(b);

	(void)why;
	assert(!k->watching);
	k->watcher = *watcher;
	k->watching = true;
	kube_scopes_start(k);
	return E_OK;
}

static void write_object(struct backend *b, struct backend_write *w)
{
	struct kubernetes *k = of(b);

	w->err = E_OK;
	w->why = (struct why){ 0 };
	w->result = NULL;
	k->writes++;
	kube_write_begin(k, w);
}

static void close_kubernetes(struct backend *b, void (*on_closed)(void *ctx), void *ctx)
{
	struct kubernetes *k = of(b);

	k->watching = false;
	k->closing = true;
	k->on_closed = on_closed;
	k->closed_ctx = ctx;
	kube_scopes_stop(k);
	kube_look(k);
}

static const struct backend_ops kubernetes_ops = {
	.name = "kubernetes",
	.start = start,
	.write = write_object,
	.close = close_kubernetes,
};

/* ---- opening -------------------------------------------------------------------------------------------------------- */

static enum err init_metrics(struct kubernetes *k, struct metrics *registry)
{
	if (!registry) {
		registry = k->own_metrics = metrics_new();
		if (!registry)
			return E_NOMEM;
	}
#define X(field, type, name, help) k->field = metrics_get(registry, &field##_family, NULL);
	KUBERNETES_METRICS(X)
#undef X
	return E_OK;
}

static void add_label(struct buf *json, struct str label)
{
	struct str key = str_cut(&label, '=');

	if (json->n > 1)
		buf_char(json, ',');
	buf_json(json, key);
	buf_char(json, ':');
	buf_json(json, label);
}

static enum err make_labels(struct kubernetes *k, const struct kubernetes_options *options)
{
	buf_char(&k->namespace_labels, '{');
	for (size_t i = 0; i < options->namespace_label_count; i++)
		for (struct str rest = str_of(options->namespace_labels[i]); rest.n;)
			add_label(&k->namespace_labels, str_trim(str_cut(&rest, ',')));
	buf_char(&k->namespace_labels, '}');
	return k->namespace_labels.err;
}

static enum err make_pattern(struct kubernetes *k, const char *pattern, struct why *why)
{
	if (!pattern || regex_new(str_of(pattern), why, &k->namespace_pattern) == E_OK)
		return E_OK;
	return why_add(why, "the pattern of namespaces");
}

static unsigned count_scopes(const struct kubernetes *k)
{
	unsigned n = 0;

	for (const struct kube_scope *s = k->scopes; s; s = s->next)
		n++;
	return n;
}

static enum err open_all(struct kubernetes *k, const struct kubernetes_options *options, struct why *why)
{
	enum err err = init_metrics(k, options->metrics);

	if (err == E_OK)
		err = make_labels(k, options);
	if (err == E_OK)
		err = kube_scopes_make(k, options);
	if (err != E_OK)
		return why_set(why, err, "start");
	err = make_pattern(k, options->namespace_pattern, why);
	if (err != E_OK)
		return err;
	return kube_client_new(k->loop, k->config, CONNECTIONS + count_scopes(k), why, &k->client);
}

enum err kubernetes_open(struct loop *loop, const struct kubernetes_options *options, struct why *why,
			 struct backend **ret_backend)
{
	struct kubernetes *k = mem_alloc(sizeof(*k));
	enum err err;

	if (!k) {
		kubernetes_config_free(options->config);
		return why_set(why, E_NOMEM, "kubernetes");
	}
	k->base.ops = &kubernetes_ops;
	k->loop = loop;
	k->config = options->config;
	k->create_namespaces = options->create_namespaces;
	k->look.run = on_look;
	err = open_all(k, options, why);
	if (err != E_OK) {
		release(k); /* the client is the last thing that is opened */
		return why_add(why, "kubernetes");
	}
	log_info(LOGGER, "the resources are in an API server", LOG_S("server", k->config->server),
		 LOG_S("by", k->config->origin));
	*ret_backend = &k->base;
	return E_OK;
}
