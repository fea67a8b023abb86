/*
 * config_tls.c -- `tls` of an EventBus: the same keys for every kind of bus (facts argo-events 4.5).
 */
#include "base/mem.h"
#include "gateway/config_read.h"

struct bus_tls_options {
	struct secret_ref ca;
	struct secret_ref cert;
	struct secret_ref key;
	bool insecure;
	bool enabled;
};

/* clang-format off */
#define AT(member) offsetof(struct bus_tls_options, member)
static const struct field tls_rows[] = {
	{ .key = "caCertSecret", .type = FIELD_SECRET, .offset = AT(ca),
	  .meaning = "Certificate authorities (PEM): for Kafka in place of the system's, for JetStream beside them." },
	{ .key = "clientCertSecret", .type = FIELD_SECRET, .offset = AT(cert), .meaning = "Certificate of the client (PEM)." },
	{ .key = "clientKeySecret", .type = FIELD_SECRET, .offset = AT(key), .meaning = "Its private key (PEM)." },
	{ .key = "insecureSkipVerify", .type = FIELD_BOOL, .offset = AT(insecure),
	  .meaning = "Do not check the server's certificate; wins over the rest." },
	{ .key = "enabled", .type = FIELD_BOOL, .offset = AT(enabled), .meaning = "Require TLS with the system's authorities." },
};
#undef AT
/* clang-format on */

const struct field_table config_tls_table = { .rows = tls_rows, .count = ARRAY_LEN(tls_rows) };

static void check_tls(const struct fields_ctx *ctx, const struct node *n, const struct bus_tls_options *o)
{
	if (o->insecure)
		return;
	if (!o->cert.path != !o->key.path)
		problem_at(ctx->problems, ctx->file, n, "give both or none",
			   "clientCertSecret and clientKeySecret belong together");
	else if (!o->enabled && !o->ca.path && !o->cert.path)
		problem_at(ctx->problems, ctx->file, n, "add `enabled: true`, or remove tls",
			   "tls says neither enabled, nor insecureSkipVerify, nor a secret");
}

bool config_read_tls(const struct fields_ctx *ctx, const struct node *n, struct tls_client_config *tls)
{
	struct bus_tls_options o = { 0 };
	enum err err = fields_read(ctx, &config_tls_table, n, n, &o);

	check_tls(ctx, n, &o);
	tls->configured = true;
	tls->insecure_skip_verify = o.insecure;
	tls->ca_path = TAKE(o.ca.path);
	tls->cert_path = TAKE(o.cert.path);
	tls->key_path = TAKE(o.key.path);
	fields_release(&config_tls_table, &o);
	return err != E_NOMEM;
}

void config_tls_release(struct tls_client_config *tls)
{
	mem_free(tls->ca_path);
	mem_free(tls->cert_path);
	mem_free(tls->key_path);
}
