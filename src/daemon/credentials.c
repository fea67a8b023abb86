#include "daemon/credentials.h"

/* The texts of a Secret, by what people know it by. NULL: no memory. */
static struct kubernetes_secret *want(struct credentials *c, const char *kind, const struct credentials_secret *secret,
				      const char *namespace, const char **ret_name)
{
	struct kubernetes_secret *wanted = &c->wanted[c->count];
	struct buf *name = &c->names[c->count++];

	buf_addf(name, "%s %s/%s", kind, namespace, secret->name);
	*ret_name = buf_cstr(name);
	wanted->name = secret->name;
	wanted->optional = secret->optional;
	wanted->instead = secret->instead;
	return *ret_name ? wanted : NULL;
}

static enum err want_pair(struct credentials *c, const struct credentials_secret *secret, const char *namespace)
{
	const char *name;
	struct kubernetes_secret *wanted = want(c, "Secret", secret, namespace, &name);

	if (!wanted)
		return E_NOMEM;
	wanted->keys[0] = "tls.crt";
	wanted->keys[1] = "tls.key";
	c->cert = (struct pem){ name, &wanted->texts[0] };
	c->key = (struct pem){ name, &wanted->texts[1] };
	return E_OK;
}

/* One that cert-manager has made says who signed it in ca.crt; upstream believes both, too. */
static enum err want_authorities(struct credentials *c, const struct credentials_secret *secret, const char *namespace)
{
	const char *name;
	struct kubernetes_secret *wanted = want(c, "Secret", secret, namespace, &name);

	if (!wanted)
		return E_NOMEM;
	wanted->keys[0] = "tls.crt";
	wanted->keys[1] = "ca.crt";
	wanted->any = true;
	c->ca = (struct pem){ name, &wanted->texts[0] };
	return E_OK;
}

static enum err want_token_key(struct credentials *c, const struct credentials_secret *secret, const char *namespace)
{
	const char *name;
	struct kubernetes_secret *wanted = want(c, "Secret", secret, namespace, &name);

	if (!wanted)
		return E_NOMEM;
	wanted->keys[0] = "jwt.key";
	c->jwt_key = (struct pem){ name, &wanted->texts[0] };
	return E_OK;
}

static enum err want_blocklist(struct credentials *c, const char *map, const char *namespace)
{
	const struct credentials_secret as = { .name = map };
	struct kubernetes_secret *wanted = want(c, "ConfigMap", &as, namespace, &c->blocklist_name);

	if (!wanted)
		return E_NOMEM;
	wanted->is_map = true;
	c->blocklist = &wanted->texts[0];
	return E_OK;
}

static enum err want_all(struct credentials *c, const struct credentials_options *o, const char *namespace)
{
	enum err err = E_OK;

	if (o->tls_secret.name)
		err = want_pair(c, &o->tls_secret, namespace);
	if (o->ca_secret.name && err == E_OK)
		err = want_authorities(c, &o->ca_secret, namespace);
	if (o->jwt_secret.name && err == E_OK)
		err = want_token_key(c, &o->jwt_secret, namespace);
	if (o->blocklist_map && err == E_OK)
		err = want_blocklist(c, o->blocklist_map, namespace);
	return err;
}

static void on_ready(void *ctx, const struct why *why)
{
	struct credentials *c = ctx;

	c->outcome = *why;
	loop_stop(&c->daemon->loop);
}

static void on_change(void *ctx)
{
	struct credentials *c = ctx;

	daemon_reload(c->daemon);
}

static enum err read_all(struct credentials *c, const struct backend_options *cluster, struct why *why)
{
	struct kubernetes_secrets_options options = { .namespace = cluster->namespace,
						      .secrets = c->wanted,
						      .count = c->count,
						      .on_ready = on_ready,
						      .on_change = on_change,
						      .ctx = c };
	enum err err = kubernetes_config_load(cluster->kubeconfig, cluster->kubecontext, why, &options.config);

	if (err == E_OK)
		err = kubernetes_secrets_open(&c->daemon->loop, &options, why, &c->secrets);
	if (err != E_OK)
		return why_add(why, BACKEND_KUBERNETES);
	loop_run(&c->daemon->loop);
	if (why)
		*why = c->outcome;
	return c->outcome.err;
}

enum err credentials_open(struct credentials *c, const struct credentials_options *o,
			  const struct backend_options *cluster, struct daemon *daemon, struct why *why)
{
	enum err err;

	c->daemon = daemon;
	c->cert.name = o->cert;
	c->key.name = o->key;
	c->ca.name = o->ca;
	c->jwt_key.name = o->jwt_key;
	err = want_all(c, o, cluster->namespace);
	if (err != E_OK)
		return why_set(why, err, "start");
	return c->count ? read_all(c, cluster, why) : E_OK;
}

void credentials_close(struct credentials *c, void (*on_closed)(void *ctx), void *ctx)
{
	if (c->secrets)
		kubernetes_secrets_close(c->secrets, on_closed, ctx);
	else
		on_closed(ctx);
}

void credentials_release(struct credentials *c)
{
	for (size_t i = 0; i < CREDENTIALS_SECRETS; i++)
		buf_release(&c->names[i]);
}
