#include <limits.h>

#include "auth/files.h"
#include "auth/pki.h"
#include "base/dir.h"
#include "base/rand.h"
#include "cli/commands.h"
#include "cli/pki_task.h"

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
	  PKI_DIR_HELP " Made when it is not there." },
	{ "name", 'n', OPTION_TEXT, offsetof(struct init_args, name), "NAME", NULL,
	  "Common name of the authority. Default: holdfast." },
	{ "days", 0, OPTION_NUMBER, offsetof(struct init_args, days), "DAYS", NULL, "How long the authority lasts.",
	  .fallback = "3650", .min = 1, .max = PKI_DAYS_MAX },
	{ "key-type", 0, OPTION_CHOICE, offsetof(struct init_args, key_type), "ec|rsa", NULL, PKI_KEY_TYPE_HELP },
	{ "jwt-bits", 0, OPTION_NUMBER, offsetof(struct init_args, jwt_bits), "BITS", NULL,
	  "Size of the key that signs tokens: 2048, 3072 or 4096. Each step up costs the principal more than twice as "
	  "much "
	  "for each login.",
	  .fallback = "3072", .min = 2048, .max = 4096 },
	{ "force", 0, OPTION_FLAG, offsetof(struct init_args, force), NULL, NULL,
	  "Replace what is there. Everything that the old authority issued is worth nothing afterwards." },
	{ 0 },
};

/* The three files. */
struct init_files {
	struct pki_path cert, key, jwt;
};

static enum err init_paths(struct pki_task *t, struct init_files *f)
{
	enum err err = pki_task_path(t, PKI_CA_CERT, "", &f->cert);

	if (err == E_OK)
		err = pki_task_path(t, PKI_CA_KEY, "", &f->key);
	if (err == E_OK)
		err = pki_task_path(t, PKI_JWT_KEY, "", &f->jwt);
	if (err == E_OK)
		err = pki_task_check_free(t, &f->cert);
	if (err == E_OK)
		err = pki_task_check_free(t, &f->key);
	return err == E_OK ? pki_task_check_free(t, &f->jwt) : err;
}

static enum err make_dir(struct pki_task *t)
{
	int problem = dir_make(t->dir, 0700);

	return problem ? why_errno(&t->why, E_IO, problem, "make the directory %s", t->dir) : E_OK;
}

/* Keys first: a certificate without its key is of no use. */
static enum err init_write(struct pki_task *t, const struct init_files *f, const struct pki_pair *ca,
			   const struct buf *jwt)
{
	enum err err = make_dir(t);

	if (err == E_OK)
		err = pki_task_write(t, &f->key, &ca->key, PKI_KEY_MODE);
	if (err == E_OK)
		err = pki_task_write(t, &f->jwt, jwt, PKI_KEY_MODE);
	return err == E_OK ? pki_task_write(t, &f->cert, &ca->cert, PKI_CERT_MODE) : err;
}

static void init_say(struct pki_task *t, const struct init_files *f, const struct pki_pair *ca)
{
	pki_task_say_cert(t, &f->cert, "certificate of the authority: everybody needs it", ca->expires_ms);
	pki_task_say_file(t, &f->key, "its key: keep it away from principals and agents");
	pki_task_say_file(t, &f->jwt, "signs the tokens of the principal");
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
	struct pki_task t;
	enum err err;

	pki_task_begin(&t, inv, args->dir, args->force);
	request.name = args->name ? args->name : "holdfast";
	request.days = (unsigned)args->days;
	rand_bytes(request.serial, sizeof(request.serial));
	err = init_paths(&t, &files);
	if (err == E_OK)
		err = pki_make_authority(&request, t.now_ms, &t.why, &ca);
	if (err == E_OK)
		err = pki_make_rsa((unsigned)args->jwt_bits, &t.why, &jwt);
	if (err == E_OK)
		err = init_write(&t, &files, &ca, &jwt);
	if (err == E_OK)
		init_say(&t, &files, &ca);
	pki_pair_release(&ca);
	buf_wipe(&jwt);
	return pki_task_end(&t, err);
}

const struct command cmd_pki_init = {
	.name = "pki init",
	.summary = "Create a certificate authority and the key that signs tokens",
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
