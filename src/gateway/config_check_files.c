#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/pki.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "gateway/bus_open.h"
#include "gateway/config_read.h"
#include "gateway/hooks/plan.h"
#include "net/listen.h"
#include "net/tls.h"

/* What the gateway goes on without is worth a warning, what it does not start without a problem. */
static void check_readable(struct config_reader *r, const struct doc_file *file, const struct node *n, const char *path,
			   const char *without)
{
	struct why why = { 0 };

	if (path && file_check(path, &why) != E_OK)
		warning_at(r->problems, file, n, without, "%s cannot be read now: %s", path, why.text);
}

/* A gateway that runs goes on with what it has opened; its next start would fail. */
static void lacks(struct config_reader *r, const struct doc_file *file, const struct node *n, const char *text)
{
	const char *without = "the gateway does not start without it";

	if (r->input->running)
		warning_at(r->problems, file, n, without, "%s", text);
	else
		problem_at(r->problems, file, n, without, "%s", text);
}

static void check_needed(struct config_reader *r, const struct doc_file *file, const struct node *n, const char *path)
{
	struct why why = { 0 };

	if (!path || file_check(path, &why) == E_OK)
		return;
	(void)why_add(&why, "%s cannot be read", path);
	lacks(r, file, n, why.text);
}

/* Whoever checks it stays away, and only the other side would say so. */
static void check_expiry(struct config_reader *r, const struct doc_file *file, const struct node *n,
			 const char *cert_path)
{
	char text[CLOCK_RFC3339_MAX];
	int64_t expires_ms;
	struct why why;

	if (pki_expiry(&(struct pem){ cert_path }, &why, &expires_ms) != E_OK)
		return;
	if (!r->config->cert_expires_ms || expires_ms < r->config->cert_expires_ms)
		r->config->cert_expires_ms = expires_ms;
	if (expires_ms > clock_wall_ms())
		return;
	(void)clock_rfc3339(expires_ms * 1000000, text);
	warning_at(r->problems, file, n, "renew it: senders that verify it do not connect",
		   "the certificate %s expired at %s", cert_path, text);
}

static bool same_tls(const struct route_config *a, const struct route_config *b)
{
	return str_eq(str_of(a->tls_cert.path), str_of(b->tls_cert.path)) &&
	       str_eq(str_of(a->tls_key.path), str_of(b->tls_key.path));
}

/* As the listener would open it; the events of a port have the same. */
static void check_tls(struct config_reader *r, size_t i)
{
	const struct route_config *route = &r->config->routes[i];
	const struct route_place *place = &r->places[i];
	const struct node *n = node_get(place->context, "serverCertSecret");
	struct tls_server *tls = NULL;
	struct why why = { 0 };

	if (!route->tls_cert.path || !route->tls_key.path || (i && same_tls(route - 1, route)))
		return;
	if (tls_server_new(route->tls_cert.path, route->tls_key.path, "http/1.1", &why, &tls) != E_OK)
		lacks(r, place->file, n, why.text);
	else
		check_expiry(r, place->file, n, route->tls_cert.path);
	tls_server_free(tls);
}

/* What stands in the files, where all can be read. A gateway that runs has used them, or will say itself that it cannot. */
static void check_bus_settings(struct config_reader *r, const struct manifest *m)
{
	struct why why = { 0 };

	if (problems_fatal(r->problems) || r->input->running)
		return;
	switch (bus_check(&r->config->bus, &why)) {
	case E_OK:
		break;
	case E_NOMEM:
		problem_nomem(r->problems);
		break;
	default:
		problem_at(r->problems, m->file, m->spec, "the gateway does not start with it", "%s", why.text);
	}
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
		check_needed(r, m->file, paths[i] == js->credentials_path ? m->holdfast : m->spec, paths[i]);
	if (m)
		check_bus_settings(r, m);
}

/* Tried on any port: who has the one that is meant may be gone by the start, or be the gateway that runs. */
static void check_admin_address(struct config_reader *r, const struct doc_file *file, const struct node *n)
{
	struct why why = { 0 };
	char text[128];
	int fd;

	if (listen_open(str_of(r->config->admin_host), /* port= */ 0, /* share= */ false, &why, &fd) == E_OK) {
		close(fd);
		return;
	}
	(void)snprintf(text, sizeof(text), "this machine does not have the address %.60s", r->config->admin_host);
	lacks(r, file, n, text);
}

static void check_admin(struct config_reader *r)
{
	for (size_t i = 0; i < r->sources.count; i++) {
		const struct manifest *m = &r->sources.items[i];
		const struct node *admin = node_get(m->holdfast, "admin");
		const struct node *address = node_get(admin, "address");
		const struct node *token = node_get(admin, "tokenFile");

		if (!node_is_null(address))
			check_admin_address(r, m->file, address);
		if (!node_is_null(token))
			check_readable(r, m->file, token, r->config->admin_token_file,
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

/* Events need a place, the store or a bus. */
static void check_place(struct config_reader *r)
{
	const struct manifest *m = r->sources.items, *with;

	if (!m || data_dir_node(r, &with))
		return;
	if (config_bus_is_elsewhere(r))
		warning_at(
			r->problems, m->file, m->root,
			"give the EventBus too; for `holdfast gateway` also spec.holdfast.dataDir is enough",
			"there is no EventBus among the files: the controller may give one, a gateway would not start");
	else if (r->config->bus.kind == BUS_EMBEDDED)
		problem_at(r->problems, m->file, m->root, "add spec.holdfast.dataDir, or give an EventBus",
			   "the embedded bus keeps events in a dataDir, and none is given");
}

static void check_data_dir(struct config_reader *r)
{
	const struct manifest *m = r->sources.items;
	const struct node *n = data_dir_node(r, &m);
	const char *dir = r->config->data_dir;
	char *path = n && dir ? str_dup(str_of(dir)) : NULL;
	int error = path ? writable(path) : 0;
	char reason[96];

	if (n && dir && !path)
		problem_nomem(r->problems);
	if (error && strcmp(path, dir) != 0)
		problem_at(r->problems, m->file, n, "take a directory that this user may write to, or make it",
			   "%s is not there, and %s cannot be written: %s", dir, *path ? path : "the working directory",
			   strerror_r(error, reason, sizeof(reason)));
	else if (error)
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
			check_readable(r, place->file, n, refs[i].path, "requests that need it are refused");
	}
}

/* Is the secret one of those that check_source_secrets() looks at? */
static bool is_source_secret(const struct route_config *route, const struct secret_ref *ref)
{
	size_t count;

	for (const struct source_secret *s = route->ops->secrets; s && s->key; s++)
		if (source_secret_refs(s, route->settings, &count) == ref)
			return true;
	return false;
}

/* As whom the hook is looked after. */
static void check_login(struct config_reader *r, size_t i)
{
	const struct route_config *route = &r->config->routes[i];
	const struct route_place *place = &r->places[i];
	struct hook_plan p;

	if (!route->endpoint || problems_fatal(r->problems)) /* what a plan is made of may be missing */
		return;
	hook_plan_route(route, &p);
	for (size_t k = 0; k < 2 && p.count; k++) {
		const struct secret_ref *ref = k ? p.login.second : p.login.first;

		if (ref && !is_source_secret(route, ref))
			check_readable(r, place->file, place->event, ref->path,
				       "the hook at the provider is not looked after without it");
	}
	hook_plan_release(&p);
}

void config_check_files(struct config_reader *r)
{
	check_place(r);
	if (r->input->elsewhere)
		return;
	for (size_t i = 0; i < r->config->route_count; i++) {
		const struct route_place *place = &r->places[i];

		check_readable(r, place->file, node_get(place->context, "authSecret"), r->config->routes[i].auth.path,
			       "requests are answered 500 without it");
		check_tls(r, i);
		check_source_secrets(r, i);
		check_login(r, i);
	}
	check_bus_files(r);
	check_admin(r);
	check_data_dir(r);
}
