/*
 * Kubeconfig files. Properties: a configuration is taken or something is told; what is taken names a server that http_client.h can
 * use, holds at most one of each pair, and its token is one line of printable characters. Two files stand behind each other, cut at
 * the first byte 1.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/kubeconfig.h"
#include "base/mem.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static void look(const struct kubernetes_config *c)
{
	struct str server = str_of(c->server), token = buf_view(&c->token);

	MUST(str_starts(server, STR("https://")) || str_starts(server, STR("http://")));
	MUST(!str_ends(server, STR("/")) && str_find(server, '@') == server.n && str_find(server, ' ') == server.n);
	MUST(!(c->ca_file && c->ca.n) && !(c->cert_file && c->cert.n) && !(c->key_file && c->key.n));
	MUST(!(c->token_file && c->token.n) && !(c->insecure && (c->ca_file || c->ca.n)));
	MUST((c->cert_file || c->cert.n) == (c->key_file || c->key.n));
	MUST(c->namespace && c->namespace[0] && c->origin);
	for (size_t i = 0; i < token.n; i++)
		MUST(token.p[i] > ' ' && token.p[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size }, first = str_cut(&rest, '\x01');
	struct kubernetes_config *c = mem_alloc(sizeof(*c));
	struct kubeconfig k = { 0 };
	const char *secrets = NULL;
	struct why why = { 0 };
	enum err err = kubeconfig_add(&k, "dir/a", first, &why);

	if (err == E_OK && rest.n)
		err = kubeconfig_add(&k, "b", rest, &why);
	if (err == E_OK)
		err = kubeconfig_choose(&k, NULL, &why, c, &secrets);
	if (err == E_OK)
		look(c);
	else
		MUST(err == E_CONFIG && why.err == err && why.text[0]);
	kubeconfig_release(&k);
	kubernetes_config_free(c);
	return 0;
}
