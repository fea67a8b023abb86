#include "principal/process.h"

#define POOL_QUEUE 4096 /* logins whose token waits to be signed */
#define LOGINS_MAX 4096 /* logins whose password waits to be checked */

static void log_problems(const struct problems *problems)
{
	for (const struct problem *one = problems->first; one; one = one->next)
		log_error(PRINCIPAL_LOG, one->text, LOG_S("file", one->file), LOG_U("line", one->line),
			  LOG_S("fix", one->fix));
}

/* NULL: there is none. */
static const char *blocklist_name(const struct principal *p)
{
	return p->options->blocklist ? p->options->blocklist : p->credentials.blocklist_name;
}

/* How many there are: a file that was replaced by half of it is noticed. */
static void say_counts(const struct principal *p)
{
	if (p->passwords)
		log_info(PRINCIPAL_LOG, "users are known", LOG_S("file", p->auth.file),
			 LOG_U("users", passwords_count(p->passwords)));
	if (p->blocklist)
		log_info(PRINCIPAL_LOG, "certificates are blocked", LOG_S("file", blocklist_name(p)),
			 LOG_U("certificates", blocklist_count(p->blocklist)));
}

static enum err open_lists(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	struct problems problems = { 0 };
	enum err err = E_OK;

	if (p->auth.method == AUTH_USERPASS)
		err = passwords_open(p->auth.file, &problems, &p->passwords);
	if (err == E_OK && blocklist_name(p))
		err = blocklist_open(blocklist_name(p), p->credentials.blocklist, &problems, &p->blocklist);
	log_problems(&problems);
	problems_release(&problems);
	if (err != E_OK)
		return why_set(why, err, "--auth or --tls-blocklist");
	say_counts(p);
	if (o->accept_version)
		err = patterns_new(str_of(o->accept_version), why, &p->accept);
	return err == E_OK ? E_OK : why_add(why, "--accept-version");
}

static enum err open_keys(struct principal *p, struct why *why)
{
	const struct pem *key = &p->credentials.jwt_key;

	if (!key->name)
		return jwt_keys_generate(why, &p->keys);
	return jwt_keys_open(key, why, &p->keys) == E_OK ? E_OK : why_add(why, "--jwt-key");
}

enum err access_open(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	enum err err = auth_rule_parse(o->auth, why, &p->auth);

	if (err == E_OK)
		err = open_lists(p, why);
	if (err == E_OK)
		err = open_keys(p, why);
	if (err == E_OK)
		err = work_pool_new(/* threads= */ 2, POOL_QUEUE, why, &p->pool);
	if (err != E_OK)
		return err;
	turns_init(&p->waiting, LOGINS_MAX);
	p->rules = (struct login_rules){ .auth = &p->auth,
					 .passwords = p->passwords,
					 .blocklist = p->blocklist,
					 .accept = p->accept,
					 .version = str_of(o->version),
					 .principal_namespace = str_of(o->namespace),
					 .subject_match = o->client_cert_subject_match };
	return E_OK;
}

void access_reload(struct principal *p)
{
	struct problems problems = { 0 };
	struct why why = { 0 };

	if (jwt_keys_reload(p->keys, daemon_wall_ns(&p->daemon) / 1000000, &why) != E_OK)
		log_error(PRINCIPAL_LOG, "the token key stays as it was", LOG_WHY(&why));
	if (p->passwords && passwords_reload(p->passwords, &problems) != E_OK)
		log_error(PRINCIPAL_LOG, "the users stay as they were");
	if (p->blocklist && blocklist_reload(p->blocklist, &problems) != E_OK)
		log_error(PRINCIPAL_LOG, "the blocklist stays as it was");
	log_problems(&problems);
	problems_release(&problems);
	say_counts(p);
}
