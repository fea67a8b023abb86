/*
 * config_jetstream.c -- spec.jetstreamExotic and spec.jetstream of an EventBus (facts argo-events 4.1, 4.5).
 */
#include "base/mem.h"
#include "bus/servers.h"
#include "gateway/config_read.h"

struct exotic_options {
	char *url;
	struct secret_ref access;
	char *stream;
	const struct node *tls;
};

/* clang-format off */
#define AT(member) offsetof(struct exotic_options, member)
static const struct field exotic_rows[] = {
	{ .key = "url", .type = FIELD_STRING, .offset = AT(url), .missing = "url can't be empty",
	  .fix = "add `url: nats://host:4222`", .meaning = "Servers, with commas between them." },
	{ .key = "accessSecret", .type = FIELD_SECRET, .offset = AT(access),
	  .meaning = "YAML with `username` and `password`, or `token`." },
	{ .key = "streamConfig", .type = FIELD_STRING, .offset = AT(stream), .dflt_text = "see below",
	  .meaning = "A string of YAML: how to make the stream when it is absent. An existing stream is used as it is." },
	{ .key = "tls", .type = FIELD_NODE, .offset = AT(tls), .dflt_text = "none: TLS only when the server requires it",
	  .meaning = "TLS toward the servers." },
};
#undef AT

/* What configures pods of a bus is not ours to look at. */
static const struct field native_rows[] = {
#define SKIP(name) { .key = name, .type = FIELD_ANY }
	SKIP("version"), SKIP("replicas"), SKIP("containerTemplate"), SKIP("reloaderContainerTemplate"),
	SKIP("metricsContainerTemplate"), SKIP("persistence"), SKIP("metadata"), SKIP("nodeSelector"), SKIP("tolerations"),
	SKIP("securityContext"), SKIP("imagePullSecrets"), SKIP("priorityClassName"), SKIP("priority"), SKIP("affinity"),
	SKIP("serviceAccountName"), SKIP("settings"), SKIP("startArgs"), SKIP("maxPayload"),
#undef SKIP
	{ .key = "streamConfig", .type = FIELD_STRING },
};
/* clang-format on */

const struct field_table config_exotic_table = { .rows = exotic_rows, .count = ARRAY_LEN(exotic_rows) };
static const struct field_table native_table = { .rows = native_rows, .count = ARRAY_LEN(native_rows) };

static bool check_url(const struct fields_ctx *ctx, const struct node *n, const char *url)
{
	struct servers servers = { 0 };
	struct why why = { 0 };
	enum err err = servers_parse(url, &servers, &why);

	if (err == E_CONFIG)
		problem_at(ctx->problems, ctx->file, n, "write nats://host:4222 or tls://host:4222", "%s", why.text);
	servers_release(&servers);
	return err != E_NOMEM;
}

bool config_read_exotic(const struct fields_ctx *ctx, const struct manifest *m, const struct node *n,
			struct jetstream_config *js)
{
	struct exotic_options o = { 0 };
	enum err err = fields_read(ctx, &config_exotic_table, n, m->root, &o);
	bool ok = err != E_NOMEM;

	if (ok && o.url)
		ok = check_url(ctx, node_get(n, "url"), o.url);
	if (ok)
		ok = config_read_stream(ctx, node_get(n, "streamConfig"), js);
	if (ok && o.tls)
		ok = config_read_tls(ctx, o.tls, &js->tls);
	js->url = TAKE(o.url);
	js->auth_path = TAKE(o.access.path);
	fields_release(&config_exotic_table, &o);
	return ok;
}

/* A bus that the controller runs: where it is and how to log in follow from its name (facts argo-events 4.1). */
bool config_read_native(const struct fields_ctx *ctx, const struct manifest *m, const struct node *n,
			struct jetstream_config *js)
{
	struct buf url = { 0 }, auth = { 0 };
	char *stream = NULL;
	enum err err = fields_read(ctx, &native_table, n, m->root, &stream);

	mem_free(stream);
	if (err == E_NOMEM || !config_read_stream(ctx, node_get(n, "streamConfig"), js))
		return false;
	buf_addf(&url, "nats://eventbus-%s-js-svc.%s.svc:4222", m->name, m->namespace);
	buf_addf(&auth, "%s/eventbus-%s-js-client-auth/client-auth", ctx->secrets_dir, m->name);
	js->url = url.err == E_OK ? str_dup(buf_view(&url)) : NULL;
	js->auth_path = auth.err == E_OK ? str_dup(buf_view(&auth)) : NULL;
	buf_release(&url);
	buf_release(&auth);
	return js->url && js->auth_path;
}

void config_jetstream_release(struct jetstream_config *js)
{
	mem_free(js->url);
	mem_free(js->auth_path);
	mem_free(js->credentials_path);
	mem_free(js->monitor_url);
	config_tls_release(&js->tls);
	*js = (struct jetstream_config){ 0 };
}
