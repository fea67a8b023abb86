#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/files.h"
#include "auth/pki.h"
#include "base/clock.h"
#include "base/dir.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cli/commands.h"
#include "cli/help.h"

#define DIR_DEFAULT    "pki"
#define CA_DAYS        3650
#define LEAF_DAYS      365
#define DAY_MS         (24LL * 60 * 60 * 1000)
#define KEY_FILE_MAX   (64u << 10)
#define JWT_BITS       3072
#define KEY_MODE       0600
#define CERT_MODE      0644
#define DATE_LENGTH    10 /* of an RFC 3339 time */
#define DIR_HELP       "Directory of the authority's files. Default: pki."
#define KEY_TYPE_HELP  "Kind of the key: P-256 or RSA with 3072 bits. Default: ec."
#define AUTHORITY_CERT "ca.crt"
#define AUTHORITY_KEY  "ca.key"
#define TOKEN_KEY      "jwt.key"

/* DIR/NAME and an ending. */
struct path {
	char text[PATH_MAX];
};

/* One run: where the files are, and what there is to say at the end. */
struct task {
	const struct invocation *inv;
	const char *dir;
	bool force;
	int64_t now_ms;
	struct buf text;
	struct why why;
};

static void task_begin(struct task *t, const struct invocation *inv, const char *dir, bool force)
{
	*t = (struct task){ .inv = inv, .dir = dir ? dir : DIR_DEFAULT, .force = force, .now_ms = clock_wall_ms() };
}

static int task_end(struct task *t, enum err err)
{
	if (err == E_OK)
		return help_print(&t->text);
	buf_release(&t->text);
	return command_failed(t->inv, "%s", t->why.text);
}

static enum err path_of(struct task *t, const char *name, const char *ending, struct path *ret_path)
{
	int n = snprintf(ret_path->text, sizeof(ret_path->text), "%s/%s%s", t->dir, name, ending);

	if (n < 0 || (size_t)n >= sizeof(ret_path->text))
		return why_set(&t->why, E_LIMIT, "%s: the path is too long", t->dir);
	return E_OK;
}

/* A file that exists is somebody's: nothing is begun that could not be finished. */
static enum err check_free(struct task *t, const struct path *path)
{
	if (t->force || access(path->text, F_OK) != 0)
		return E_OK;
	return why_set(&t->why, E_EXISTS, "%s exists; --force replaces it", path->text);
}

static enum err put(struct task *t, const struct path *path, const struct buf *content, mode_t mode)
{
	return file_write(path->text, buf_view(content), mode, t->force, &t->why);
}

static void say_file(struct task *t, const struct path *path, const char *what)
{
	buf_addf(&t->text, "%-28s  %s\n", path->text, what);
}

static void say_cert(struct task *t, const struct path *path, const char *what, int64_t expires_ms)
{
	char time[CLOCK_RFC3339_MAX];

	(void)clock_rfc3339(expires_ms * 1000000, time);
	buf_addf(&t->text, "%-28s  %s, until %.*s\n", path->text, what, DATE_LENGTH, time);
}

/* ---- pki init ---------------------------------------------------------------------------------------------------- */

struct init_args {
	const char *dir;
	const char *name;
	uint64_t days;
	int key_type; /* enum pki_kind: the words of the option stand in its order */
	uint64_t jwt_bits;
	bool force;
};

static const struct option_row init_options[] = {
	{ "dir", 'd', OPTION_TEXT, offsetof(struct init_args, dir), "DIR", NULL,
	  DIR_HELP " Made when it is not there." },
	{ "name", 'n', OPTION_TEXT, offsetof(struct init_args, name), "NAME", NULL,
	  "Common name of the authority. Default: holdfast." },
	{ "days", 0, OPTION_NUMBER, offsetof(struct init_args, days), "DAYS", NULL,
	  "How long the authority lasts. Default: 3650." },
	{ "key-type", 0, OPTION_CHOICE, offsetof(struct init_args, key_type), "ec|rsa", NULL, KEY_TYPE_HELP },
	{ "jwt-bits", 0, OPTION_NUMBER, offsetof(struct init_args, jwt_bits), "BITS", NULL,
	  "Size of the key that signs tokens: 2048, 3072 or 4096. Each step up costs the principal more than twice as "
	  "much "
	  "for each login. Default: 3072." },
	{ "force", 0, OPTION_FLAG, offsetof(struct init_args, force), NULL, NULL,
	  "Replace what is there. Everything that the old authority issued is worth nothing afterwards." },
	{ 0 },
};

/* The three files. */
struct init_files {
	struct path cert, key, jwt;
};

static enum err init_paths(struct task *t, struct init_files *f)
{
	enum err err = path_of(t, AUTHORITY_CERT, "", &f->cert);

	if (err == E_OK)
		err = path_of(t, AUTHORITY_KEY, "", &f->key);
	if (err == E_OK)
		err = path_of(t, TOKEN_KEY, "", &f->jwt);
	if (err == E_OK)
		err = check_free(t, &f->cert);
	if (err == E_OK)
		err = check_free(t, &f->key);
	return err == E_OK ? check_free(t, &f->jwt) : err;
}

static enum err make_dir(struct task *t)
{
	int problem = dir_make(t->dir, 0700);

	return problem ? why_errno(&t->why, E_IO, problem, "make the directory %s", t->dir) : E_OK;
}

/* Keys first: a certificate without its key is of no use. */
static enum err init_write(struct task *t, const struct init_files *f, const struct pki_pair *ca, const struct buf *jwt)
{
	enum err err = make_dir(t);

	if (err == E_OK)
		err = put(t, &f->key, &ca->key, KEY_MODE);
	if (err == E_OK)
		err = put(t, &f->jwt, jwt, KEY_MODE);
	return err == E_OK ? put(t, &f->cert, &ca->cert, CERT_MODE) : err;
}

static void init_say(struct task *t, const struct init_files *f, const struct pki_pair *ca)
{
	say_cert(t, &f->cert, "certificate of the authority: everybody needs it", ca->expires_ms);
	say_file(t, &f->key, "its key: keep it away from principals and agents");
	say_file(t, &f->jwt, "signs the tokens of the principal");
	buf_addf(&t->text,
		 "\nNext: holdfast pki issue --dir %s --server NAME, under which agents reach the principal\n", t->dir);
}

static int run_init(const struct invocation *inv)
{
	const struct init_args *args = inv->args;
	struct pki_request request = { .role = PKI_AUTHORITY, .kind = (enum pki_kind)args->key_type };
	struct init_files files;
	struct pki_pair ca = { 0 };
	struct buf jwt = { 0 };
	struct task t;
	enum err err;

	task_begin(&t, inv, args->dir, args->force);
	request.name = args->name ? args->name : "holdfast";
	request.days = (unsigned)(args->days ? args->days > UINT_MAX ? UINT_MAX : args->days : CA_DAYS);
	rand_bytes(request.serial, sizeof(request.serial));
	err = init_paths(&t, &files);
	if (err == E_OK)
		err = pki_make_authority(&request, t.now_ms, &t.why, &ca);
	if (err == E_OK)
		err = pki_make_rsa((unsigned)(args->jwt_bits ? args->jwt_bits & UINT_MAX : JWT_BITS), &t.why, &jwt);
	if (err == E_OK)
		err = init_write(&t, &files, &ca, &jwt);
	if (err == E_OK)
		init_say(&t, &files, &ca);
	pki_pair_release(&ca);
	wipe_buf(&jwt);
	return task_end(&t, err);
}

const struct command cmd_pki_init = {
	.name = "pki init",
	.summary = "Make an authority and the key that signs tokens",
	.about = "Writes ca.crt, ca.key and jwt.key into a directory. Certificates for the principal and its agents "
		 "come from 'holdfast pki issue'. Keys are readable by their owner only. Nothing that exists is "
		 "replaced without --force.",
	.examples = "  holdfast pki init\n"
		    "      into ./pki, for ten years\n"
		    "  holdfast pki init --dir /etc/holdfast/pki --name 'Example sites' --days 1825\n"
		    "      elsewhere, with a name of its own, for five years\n",
	.options = init_options,
	.args_size = sizeof(struct init_args),
	.run = run_init,
};

/* ---- pki issue --------------------------------------------------------------------------------------------------- */

struct issue_args {
	const char *dir;
	const char *server;
	const char *agent;
	struct option_list sans;
	uint64_t days;
	uint64_t renew;
	int key_type;
	bool force;
};

static const struct option_row issue_options[] = {
	{ "server", 's', OPTION_TEXT, offsetof(struct issue_args, server), "NAME", NULL,
	  "A certificate for a principal that is reached under this DNS name or address." },
	{ "agent", 'a', OPTION_TEXT, offsetof(struct issue_args, agent), "NAME", NULL,
	  "A certificate for the agent of this name." },
	{ "san", 0, OPTION_LIST, offsetof(struct issue_args, sans), "NAME", NULL,
	  "A further name: a DNS name, an address or a URI; dns:, ip: or uri: in front says which. May be given "
	  "several "
	  "times." },
	{ "dir", 'd', OPTION_TEXT, offsetof(struct issue_args, dir), "DIR", NULL, DIR_HELP },
	{ "days", 0, OPTION_NUMBER, offsetof(struct issue_args, days), "DAYS", NULL,
	  "How long the certificate lasts, at most as long as its authority. Default: 365." },
	{ "renew", 0, OPTION_NUMBER, offsetof(struct issue_args, renew), "DAYS", NULL,
	  "Only when the certificate that is there has fewer days left than this: a new one for the same key. For a "
	  "timer." },
	{ "key-type", 0, OPTION_CHOICE, offsetof(struct issue_args, key_type), "ec|rsa", NULL, KEY_TYPE_HELP },
	{ "force", 0, OPTION_FLAG, offsetof(struct issue_args, force), NULL, NULL,
	  "Replace certificate and key that are there." },
	{ 0 },
};

struct issue {
	struct task task;
	struct pki_request request;
	struct path ca_cert, ca_key, cert, key;
	bool renewing; /* the key stays */
	struct buf old_key;
};

/* "*.example.org" makes a name that no shell expands. */
static void file_name(const char *name, size_t size, char *ret_name)
{
	(void)snprintf(ret_name, size, "%s%s", *name == '*' ? "_" : "", *name == '*' ? name + 1 : name);
}

static enum err issue_paths(struct issue *i)
{
	struct task *t = &i->task;
	char name[256];
	enum err err = path_of(t, AUTHORITY_CERT, "", &i->ca_cert);

	file_name(i->request.name, sizeof(name), name);
	if (strchr(name, '/') || str_is(str_of(name), "ca") || str_is(str_of(name), "jwt"))
		return why_set(&t->why, E_CONFIG, "'%s' would name a file of the authority, or none", i->request.name);
	if (err == E_OK)
		err = path_of(t, AUTHORITY_KEY, "", &i->ca_key);
	if (err == E_OK)
		err = path_of(t, name, ".crt", &i->cert);
	return err == E_OK ? path_of(t, name, ".key", &i->key) : err;
}

/* *ret_done: the certificate that is there lasts long enough. */
static enum err look_at_old(struct issue *i, uint64_t days, bool *ret_done)
{
	struct task *t = &i->task;
	int64_t expires_ms;
	enum err err = pki_expiry(i->cert.text, &t->why, &expires_ms);

	if (err == E_NOT_FOUND)
		return E_OK;
	if (err != E_OK)
		return err;
	if (expires_ms - t->now_ms >= (int64_t)days * DAY_MS) {
		say_cert(t, &i->cert, "lasts longer than that: nothing was done", expires_ms);
		*ret_done = true;
		return E_OK;
	}
	i->renewing = true;
	t->force = true;
	return file_read(i->key.text, KEY_FILE_MAX, &i->old_key, &t->why);
}

static enum err issue_write(struct issue *i, const struct pki_pair *pair)
{
	struct task *t = &i->task;
	enum err err = E_OK;

	if (!i->renewing)
		err = put(t, &i->key, &pair->key, KEY_MODE);
	return err == E_OK ? put(t, &i->cert, &pair->cert, CERT_MODE) : err;
}

static void issue_say_next(struct issue *i)
{
	struct task *t = &i->task;

	if (i->renewing)
		buf_lit(&t->text,
			"\nNext: put it in the old one's place, and send SIGHUP to the process that uses it\n");
	else if (i->request.role == PKI_AGENT)
		buf_addf(&t->text,
			 "\nNext: take these two and %s to the agent's machine, and start there\n"
			 "  holdfast agent --root-ca-path %s --tls-client-cert %s --tls-client-key %s --creds "
			 "mtls:any\n",
			 i->ca_cert.text, i->ca_cert.text, i->cert.text, i->key.text);
	else
		buf_addf(&t->text,
			 "\nNext: holdfast pki issue --dir %s --agent NAME, for each agent, and start\n"
			 "  holdfast principal --tls-cert %s --tls-key %s --root-ca-path %s --jwt-key %s/%s \\\n"
			 "    --require-client-certs --auth 'mtls:subject:^CN=([^,]+)'\n",
			 t->dir, i->cert.text, i->key.text, i->ca_cert.text, t->dir, TOKEN_KEY);
}

static void issue_say(struct issue *i, const struct pki_pair *pair)
{
	const char *what = i->request.role == PKI_AGENT ? "certificate of the agent" : "certificate of the principal";

	say_cert(&i->task, &i->cert, what, pair->expires_ms);
	if (!i->renewing)
		say_file(&i->task, &i->key, "its key");
	issue_say_next(i);
}

static enum err issue(struct issue *i)
{
	struct task *t = &i->task;
	struct pki_authority *authority = NULL;
	struct pki_pair pair = { 0 };
	enum err err = check_free(t, &i->key);

	if (err == E_OK)
		err = check_free(t, &i->cert);
	if (err == E_OK)
		err = pki_authority_open(i->ca_cert.text, i->ca_key.text, t->now_ms, &t->why, &authority);
	if (err == E_NOT_FOUND)
		(void)why_add(&t->why, "no authority in '%s', 'holdfast pki init' makes one", t->dir);
	if (err == E_OK)
		err = pki_issue(authority, &i->request, buf_view(&i->old_key), t->now_ms, &t->why, &pair);
	if (err == E_OK)
		err = issue_write(i, &pair);
	if (err == E_OK)
		issue_say(i, &pair);
	pki_authority_free(authority);
	pki_pair_release(&pair);
	return err;
}

static int run_issue(const struct invocation *inv)
{
	const struct issue_args *args = inv->args;
	struct issue i = { 0 };
	bool done = false;
	enum err err;

	if (!args->server == !args->agent)
		return command_misused(inv, "give either --server NAME or --agent NAME");
	if (args->force && args->renew)
		return command_misused(inv, "--renew keeps the key, --force replaces it: give one of them");
	task_begin(&i.task, inv, args->dir, args->force);
	i.request = (struct pki_request){ .role = args->agent ? PKI_AGENT : PKI_SERVER,
					  .kind = (enum pki_kind)args->key_type,
					  .name = args->agent ? args->agent : args->server,
					  .sans = args->sans.items,
					  .san_count = args->sans.n };
	i.request.days = (unsigned)(args->days ? args->days > UINT_MAX ? UINT_MAX : args->days : LEAF_DAYS);
	rand_bytes(i.request.serial, sizeof(i.request.serial));
	err = issue_paths(&i);
	if (err == E_OK && args->renew)
		err = look_at_old(&i, args->renew > PKI_DAYS_MAX ? PKI_DAYS_MAX : args->renew, &done);
	if (err == E_OK && !done)
		err = issue(&i);
	wipe_buf(&i.old_key);
	return task_end(&i.task, err);
}

const struct command cmd_pki_issue = {
	.name = "pki issue",
	.summary = "Issue a certificate for a principal or an agent",
	.about = "Writes NAME.crt and NAME.key beside the files of the authority that 'holdfast pki init' made. An "
		 "agent's certificate carries its name as common name and is for clients only, a principal's is for "
		 "servers only. A running principal or agent takes a renewed certificate over on SIGHUP.",
	.examples = "  holdfast pki issue --server hub.example.org --san 10.0.0.5\n"
		    "      for a principal with a name and an address\n"
		    "  holdfast pki issue --agent site-1\n"
		    "      for an agent\n"
		    "  holdfast pki issue --agent site-1 --renew 30\n"
		    "      from a timer: does nothing until the last 30 days\n",
	.options = issue_options,
	.args_size = sizeof(struct issue_args),
	.run = run_issue,
};
