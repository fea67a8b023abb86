#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_ctx.h"

void tls_server_free(struct tls_server *t)
{
	if (!t)
		return;
	tls_ctx_release(&t->ctx);
	mem_free(t);
}

DEFINE_FREEP(tls_server, struct tls_server, tls_server_free)

enum err tls_server_open(const struct tls_options *options, struct why *why, struct tls_server **ret_tls)
{
	CLEANUP(tls_server_freep) struct tls_server *t = mem_alloc(sizeof(*t));
	enum err err;

	if (!t)
		return why_set(why, E_NOMEM, "set up TLS");
	err = tls_ctx_init(&t->ctx, options, /* client= */ false, why);
	if (err == E_OK)
		*ret_tls = TAKE(t);
	return err;
}

enum err tls_server_new(const char *cert_path, const char *key_path, const char *alpn, struct why *why,
			struct tls_server **ret_tls)
{
	const struct tls_options options = { .cert = { cert_path }, .key = { key_path }, .alpn = alpn };

	return tls_server_open(&options, why, ret_tls);
}

enum err tls_server_reload(struct tls_server *t, struct why *why)
{
	return tls_ctx_reload(&t->ctx, why);
}

void tls_client_free(struct tls_client *t)
{
	if (!t)
		return;
	tls_ctx_release(&t->ctx);
	mem_free(t);
}

DEFINE_FREEP(tls_client, struct tls_client, tls_client_free)

enum err tls_client_open(const struct tls_options *options, struct why *why, struct tls_client **ret_tls)
{
	CLEANUP(tls_client_freep) struct tls_client *t = mem_alloc(sizeof(*t));
	enum err err;

	if (!t)
		return why_set(why, E_NOMEM, "set up TLS");
	err = tls_ctx_init(&t->ctx, options, /* client= */ true, why);
	if (err == E_OK)
		*ret_tls = TAKE(t);
	return err;
}

enum err tls_client_reload(struct tls_client *t, struct why *why)
{
	return tls_ctx_reload(&t->ctx, why);
}
