#include <limits.h>
#include <stdio.h>

#include "auth/pki.h"
#include "base/file.h"
#include "base/rand.h"
#include "cli/commands.h"
#include "cli/pki_task.h"

#define DAY_MS       (24LL * 60 * 60 * 1000)
#define KEY_FILE_MAX (64u << 10)

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
	{ "dir", 'd', OPTION_TEXT, offsetof(struct issue_args, dir), "DIR", NULL, PKI_DIR_HELP },
	{ "days", 0, OPTION_NUMBER, offsetof(struct issue_args, days), "DAYS", NULL,
	  "How long the certificate lasts, at most as long as its authority.", .fallback = "365", .min = 1,
	  .max = PKI_DAYS_MAX },
	{ "renew", 0, OPTION_NUMBER, offsetof(struct issue_args, renew), "DAYS", NULL,
	  "Only when the certificate that is there has fewer days left than this: a new one for the same key, "
	  "with the same names unless --san gives others. For a timer.",
	  .min = 1, .max = PKI_DAYS_MAX },
	{ "key-type", 0, OPTION_CHOICE, offsetof(struct issue_args, key_type), "ec|rsa", NULL, PKI_KEY_TYPE_HELP },
	{ "force", 0, OPTION_FLAG, offsetof(struct issue_args, force), NULL, NULL,
	  "Replace certificate and key that are there." },
	{ 0 },
};

struct issue {
	struct pki_task task;
	struct pki_request request;
	struct pki_path ca_cert, ca_key, cert, key;
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
	struct pki_task *t = &i->task;
	char name[256];
	enum err err = pki_task_path(t, PKI_CA_CERT, "", &i->ca_cert);

	file_name(i->request.name, sizeof(name), name);
	if (strchr(name, '/') || str_is(str_of(name), "ca") || str_is(str_of(name), "jwt"))
		return why_set(&t->why, E_CONFIG, "'%s' would name a file of the authority, or none", i->request.name);
	if (err == E_OK)
		err = pki_task_path(t, PKI_CA_KEY, "", &i->ca_key);
	if (err == E_OK)
		err = pki_task_path(t, name, ".crt", &i->cert);
	return err == E_OK ? pki_task_path(t, name, ".key", &i->key) : err;
}

/* *ret_done: the certificate that is there lasts long enough. */
static enum err look_at_old(struct issue *i, uint64_t days, bool *ret_done)
{
	struct pki_task *t = &i->task;
	int64_t expires_ms;
	enum err err = pki_expiry(&(struct pem){ i->cert.text }, &t->why, &expires_ms);

	if (err == E_NOT_FOUND)
		return E_OK;
	if (err != E_OK)
		return err;
	if (expires_ms - t->now_ms >= (int64_t)days * DAY_MS) {
		pki_task_say_cert(t, &i->cert, "lasts longer than that: nothing was done", expires_ms);
		*ret_done = true;
		return E_OK;
	}
	i->renewing = true;
	i->request.renews = i->cert.text;
	t->force = true;
	return file_read(i->key.text, KEY_FILE_MAX, &i->old_key, &t->why);
}

/* The certificate last: without it the key is of no use. */
enum { KEY, CERT, ISSUE_FILES };

static void issue_files(const struct issue *i, const struct pki_pair *pair,
			struct file_part ret_files[static ISSUE_FILES])
{
	ret_files[KEY] = (struct file_part){ i->key.text, PKI_KEY_MODE, buf_view(&pair->key) };
	ret_files[CERT] = (struct file_part){ i->cert.text, PKI_CERT_MODE, buf_view(&pair->cert) };
}

static enum err issue_check_free(struct issue *i)
{
	struct file_part files[ISSUE_FILES];

	issue_files(i, &(struct pki_pair){ 0 }, files);
	return pki_task_check_free(&i->task, files, ISSUE_FILES);
}

/* A renewed certificate is for the key that is there. */
static enum err issue_write(struct issue *i, const struct pki_pair *pair)
{
	struct file_part files[ISSUE_FILES];
	size_t first = i->renewing ? CERT : KEY;

	issue_files(i, pair, files);
	return files_write(&files[first], ISSUE_FILES - first, i->task.force, &i->task.why);
}

static void issue_say_next(struct issue *i)
{
	struct pki_task *t = &i->task;

	if (i->renewing)
		buf_lit(&t->text,
			"\nNext: put it in the old one's place, and send SIGHUP to the process that uses it\n");
	else if (i->request.role == PKI_AGENT)
		buf_addf(&t->text,
			 "\nNext: take these two and %s to the agent's machine, and start there\n"
			 "  holdfast agent --agent-mode managed --backend directory:PATH --server-address HOST "
			 "--server-port 8443 \\\n"
			 "    --root-ca-path %s --tls-client-cert %s --tls-client-key %s --creds mtls:any\n",
			 i->ca_cert.text, i->ca_cert.text, i->cert.text, i->key.text);
	else
		buf_addf(&t->text,
			 "\nNext: holdfast pki issue --dir %s --agent NAME, for each agent, and start\n"
			 "  holdfast principal --backend directory:PATH --require-client-certs \\\n"
			 "    --tls-cert %s --tls-key %s --root-ca-path %s --jwt-key %s/%s --auth "
			 "'mtls:subject:^CN=([^,]+)'\n",
			 t->dir, i->cert.text, i->key.text, i->ca_cert.text, t->dir, PKI_JWT_KEY);
}

static void issue_say(struct issue *i, const struct pki_pair *pair)
{
	const char *what = i->request.role == PKI_AGENT ? "certificate of the agent" : "certificate of the principal";

	pki_task_say_cert(&i->task, &i->cert, what, pair->expires_ms);
	if (!i->renewing)
		pki_task_say_file(&i->task, &i->key, "its key");
	issue_say_next(i);
}

static enum err issue(struct issue *i)
{
	struct pki_task *t = &i->task;
	struct pki_authority *authority = NULL;
	struct pki_pair pair = { 0 };
	enum err err = issue_check_free(i);

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
	pki_task_begin(&i.task, inv, args->dir, args->force);
	i.request = (struct pki_request){ .role = args->agent ? PKI_AGENT : PKI_SERVER,
					  .kind = (enum pki_kind)args->key_type,
					  .name = args->agent ? args->agent : args->server,
					  .sans = args->sans.items,
					  .san_count = args->sans.n };
	i.request.days = (unsigned)args->days;
	rand_bytes(i.request.serial, sizeof(i.request.serial));
	err = issue_paths(&i);
	if (err == E_OK && args->renew)
		err = look_at_old(&i, args->renew, &done);
	if (err == E_OK && !done)
		err = issue(&i);
	buf_wipe(&i.old_key);
	return pki_task_end(&i.task, err);
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
