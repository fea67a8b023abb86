#include <limits.h>

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

/* The certificate last: without it the keys are of no use. */
enum { CA_KEY, JWT_KEY, CA_CERT, INIT_FILES };

struct init_files {
	struct pki_path paths[INIT_FILES];
	struct file_part parts[INIT_FILES];
};

static enum err init_paths(struct pki_task *t, struct init_files *f)
{
	static const char *const names[] = { PKI_CA_KEY, PKI_JWT_KEY, PKI_CA_CERT };
	enum err err = E_OK;

	for (size_t i = 0; i < INIT_FILES && err == E_OK; i++) {
		err = pki_task_path(t, names[i], "", &f->paths[i]);
		f->parts[i] = (struct file_part){ .path = f->paths[i].text,
						  .mode = i == CA_CERT ? PKI_CERT_MODE : PKI_KEY_MODE };
	}
	return err == E_OK ? pki_task_check_free(t, f->parts, INIT_FILES) : err;
}

static enum err make_dir(struct pki_task *t)
{
	int problem = dir_make(t->dir, 0700);

	return problem ? why_errno(&t->why, E_IO, problem, "make the directory %s", t->dir) : E_OK;
}

static enum err init_write(struct pki_task *t, struct init_files *f, const struct pki_pair *ca, const struct buf *jwt)
{
	enum err err = make_dir(t);

	f->parts[CA_KEY].content = buf_view(&ca->key);
	f->parts[JWT_KEY].content = buf_view(jwt);
	f->parts[CA_CERT].content = buf_view(&ca->cert);
	return err == E_OK ? files_write(f->parts, INIT_FILES, t->force, &t->why) : err;
}

static void init_say(struct pki_task *t, const struct init_files *f, const struct pki_pair *ca)
{
	pki_task_say_cert(t, &f->paths[CA_CERT], "certificate of the authority: everybody needs it", ca->expires_ms);
	pki_task_say_file(t, &f->paths[CA_KEY], "its key: keep it away from principals and agents");
	pki_task_say_file(t, &f->paths[JWT_KEY], "signs the tokens of the principal");
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
	.about = "Writes ca.crt, ca.key and jwt.key into a directory, all of them or none. Certificates for the "
		 "principal and its agents "
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
