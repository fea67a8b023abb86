#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/config_read.h"

/* Manifests are checked on other machines than they run on: a file that is not there now is worth a warning. */
static void check_readable(struct config_reader *r, const struct doc_file *file, const struct node *n, const char *path,
			   const char *what)
{
	char reason[96];

	if (path && access(path, R_OK) != 0)
		warning_at(r->problems, file, n, what, "%s cannot be read now: %s", path,
			   strerror_r(errno, reason, sizeof(reason)));
}

static void check_secret(struct config_reader *r, size_t route, const struct secret_ref *secret, const char *key,
			 const char *what)
{
	const struct route_place *place = &r->places[route];

	check_readable(r, place->file, node_get(place->context, key), secret->path, what);
}

/* Those of the other kind of bus are not there. */
static void check_bus_files(struct config_reader *r)
{
	const struct jetstream_config *js = &r->config->bus.jetstream;
	const struct kafka_config *kafka = &r->config->bus.kafka;
	const char *const paths[] = { js->auth_path,        js->credentials_path, js->tls.ca_path,
				      js->tls.cert_path,    js->tls.key_path,     kafka->user_path,
				      kafka->password_path, kafka->tls.ca_path,   kafka->tls.cert_path,
				      kafka->tls.key_path };
	const struct manifest *m = NULL;

	for (size_t i = 0; i < r->buses.count; i++)
		if (str_eq(str_of(r->buses.items[i].name), str_of(r->config->bus.name)))
			m = &r->buses.items[i];
	for (size_t i = 0; m && i < ARRAY_LEN(paths); i++)
		check_readable(r, m->file, paths[i] == js->credentials_path ? m->holdfast : m->spec, paths[i],
			       "the gateway does not start without it");
}

static void check_token(struct config_reader *r)
{
	for (size_t i = 0; i < r->sources.count; i++) {
		const struct manifest *m = &r->sources.items[i];
		const struct node *n = node_get(node_get(m->holdfast, "admin"), "tokenFile");

		if (!node_is_null(n))
			check_readable(r, m->file, n, r->config->admin_token_file,
				       "the events API refuses everybody without it");
	}
}

/* The directory, or where it would be made: the nearest one above it that is there. 0, or an errno. */
static int writable(char *path)
{
	struct stat st;
	size_t n = strlen(path);

	while (stat(n ? path : ".", &st) != 0) {
		if (errno != ENOENT)
			return errno;
		while (n && path[n - 1] == '/')
			n--;
		while (n && path[n - 1] != '/')
			n--;
		while (n > 1 && path[n - 1] == '/')
			n--;
		path[n] = '\0';
	}
	if (!S_ISDIR(st.st_mode))
		return ENOTDIR;
	return access(n ? path : ".", W_OK | X_OK) == 0 ? 0 : errno;
}

static const struct node *data_dir_node(const struct config_reader *r, const struct manifest **ret_manifest)
{
	for (size_t i = 0; i < r->sources.count; i++) {
		const struct node *n = node_get(r->sources.items[i].holdfast, "dataDir");

		*ret_manifest = &r->sources.items[i];
		if (!node_is_null(n))
			return n;
	}
	return NULL;
}

static void check_data_dir(struct config_reader *r)
{
	const struct manifest *m = r->sources.items;
	const struct node *n = data_dir_node(r, &m);
	char *path = n ? str_dup(str_of(r->config->data_dir)) : NULL;
	int error = path ? writable(path) : 0;
	char reason[96];

	if (!n && m && config_bus_is_elsewhere(r))
		warning_at(
			r->problems, r->sources.items[0].file, r->sources.items[0].root,
			"give the EventBus too; for `holdfast gateway` also spec.holdfast.dataDir is enough",
			"there is no EventBus among the files: the controller may give one, a gateway would not start");
	else if (!n && m && r->config->bus.kind == BUS_EMBEDDED)
		problem_at(r->problems, r->sources.items[0].file, r->sources.items[0].root,
			   "add spec.holdfast.dataDir, or give an EventBus",
			   "the embedded bus keeps events in a dataDir, and none is given");
	if (n && !path && r->config->data_dir)
		problem_nomem(r->problems);
	if (error)
		problem_at(r->problems, m->file, n, "take a directory that this user may write to",
			   "%s cannot be written: %s", path, strerror_r(error, reason, sizeof(reason)));
	mem_free(path);
}

/* A source's own secrets stand in the event, ours in its holdfast. */
static void check_source_secrets(struct config_reader *r, size_t route)
{
	const struct route_config *config = &r->config->routes[route];
	const struct route_place *place = &r->places[route];

	for (const struct source_secret *s = config->ops->secrets; s && s->key; s++) {
		const struct node *n = node_get(place->event, s->key);
		size_t count;
		const struct secret_ref *refs = source_secret_refs(s, config->settings, &count);

		n = n ? n : node_get(node_get(place->event, "holdfast"), s->key);
		for (size_t i = 0; i < count; i++)
			check_readable(r, place->file, n, refs[i].path, "requests cannot be checked without it");
	}
}

void config_check_files(struct config_reader *r)
{
	const char *tls = "the gateway does not start without it", *auth = "requests are answered 500 without it";

	for (size_t i = 0; i < r->config->route_count; i++) {
		const struct route_config *route = &r->config->routes[i];

		check_secret(r, i, &route->auth, "authSecret", auth);
		check_secret(r, i, &route->tls_cert, "serverCertSecret", tls);
		check_secret(r, i, &route->tls_key, "serverKeySecret", tls);
		check_source_secrets(r, i);
	}
	check_bus_files(r);
	check_token(r);
	check_data_dir(r);
}
