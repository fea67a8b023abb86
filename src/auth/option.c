#include "auth/files.h"
#include "auth/identity.h"
#include "base/file.h"

#define AUTH_FORMS  "userpass:FILE, mtls:subject:REGEX, mtls:uri:REGEX or header:NAME:REGEX"
#define CREDS_FORMS "userpass:FILE, mtls:any or header:"
#define LOGIN_MAX   4096 /* bytes of the file that --creds names */

/* In the order of enum auth_method. */
static const char *const methods[] = { "userpass", "mtls", "header" };

const char *auth_method_text(enum auth_method method)
{
	return methods[method];
}

static bool method_parse(struct str word, enum auth_method *ret_method)
{
	for (enum auth_method m = AUTH_USERPASS; m <= AUTH_HEADER; m++) {
		if (str_is(word, methods[m])) {
			*ret_method = m;
			return true;
		}
	}
	return false;
}

/* The word before the first colon, which `*rest` loses. */
static enum err take_method(const char *option, const char *forms, struct str *ret_rest, struct why *why,
			    enum auth_method *ret_method)
{
	struct str rest = str_of(option), word = str_cut(&rest, ':');

	if (word.n == strlen(option))
		return why_set(why, E_CONFIG, "'%s': there is no colon; it looks like %s", option, forms);
	if (!method_parse(word, ret_method))
		return why_set(why, E_CONFIG, "'%.*s' is no method; it looks like %s", STR_ARG(word), forms);
	*ret_rest = rest;
	return E_OK;
}

static enum err take_file(struct str path, struct why *why, char **ret_file)
{
	if (path.n == 0)
		return why_set(why, E_CONFIG, "userpass: the file is missing, as in userpass:/etc/holdfast/users");
	*ret_file = str_dup(path);
	return *ret_file ? E_OK : why_set(why, E_NOMEM, "read an option");
}

/* ---- --auth ------------------------------------------------------------------------------------------------------ */

static enum err take_regex(struct str pattern, const char *example, struct why *why, struct auth_rule *rule)
{
	enum err err;

	if (pattern.n == 0)
		return why_set(why, E_CONFIG, "the expression is missing, as in %s", example);
	err = regex_new(pattern, why, &rule->regex);
	if (err == E_OK && regex_groups(rule->regex) == 0)
		return why_set(why, E_CONFIG,
			       "'%.*s' has no group: what the first (...) matches is the agent's name, as in %s",
			       STR_ARG(pattern), example);
	return err;
}

/* The form without "subject:" is an older one. */
static enum err take_mtls(struct str rest, struct why *why, struct auth_rule *rule)
{
	rule->part = str_starts(rest, STR("uri:")) ? AUTH_URI : AUTH_SUBJECT;
	if (str_starts(rest, STR("uri:")) || str_starts(rest, STR("subject:")))
		(void)str_cut(&rest, ':');
	return take_regex(rest,
			  rule->part == AUTH_URI ? "mtls:uri:spiffe://example\\.org/agent/([^/]+)$"
						 : "mtls:subject:^CN=([^,]+)",
			  why, rule);
}

/* What HTTP/2 and gRPC let a name be; upper case is taken and means lower. */
static bool header_name(struct str name, char *to)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
		to[i] = c;
	}
	return name.n > 0;
}

static enum err take_header(struct str rest, struct why *why, struct auth_rule *rule)
{
	struct str name = str_cut(&rest, ':');

	rule->header = str_dup(name.n ? name : STR(""));
	if (!rule->header)
		return why_set(why, E_NOMEM, "read an option");
	if (!header_name(name, rule->header))
		return why_set(why, E_CONFIG,
			       "'%.*s' is no name of a header, as in header:x-forwarded-client-cert:CN=([^,;]+)",
			       STR_ARG(name));
	return take_regex(rest, "header:x-forwarded-client-cert:CN=([^,;]+)", why, rule);
}

enum err auth_rule_parse(const char *option, struct why *why, struct auth_rule *ret_rule)
{
	struct auth_rule rule = { 0 };
	struct str rest = { 0 };
	enum err err = take_method(option, AUTH_FORMS, &rest, why, &rule.method);

	if (err == E_OK && rule.method == AUTH_USERPASS)
		err = take_file(rest, why, &rule.file);
	else if (err == E_OK && rule.method == AUTH_MTLS)
		err = take_mtls(rest, why, &rule);
	else if (err == E_OK)
		err = take_header(rest, why, &rule);
	if (err == E_OK) {
		*ret_rule = rule;
		return E_OK;
	}
	auth_rule_release(&rule);
	return why_add(why, "--auth");
}

void auth_rule_release(struct auth_rule *rule)
{
	mem_free(rule->file);
	mem_free(rule->header);
	regex_free(rule->regex);
	*rule = (struct auth_rule){ 0 };
}

/* ---- --creds ----------------------------------------------------------------------------------------------------- */

enum err auth_creds_parse(const char *option, struct why *why, struct auth_creds *ret_creds)
{
	struct auth_creds creds = { 0 };
	struct str rest = { 0 };
	enum err err = take_method(option, CREDS_FORMS, &rest, why, &creds.method);

	if (err == E_OK && creds.method == AUTH_USERPASS)
		err = take_file(rest, why, &creds.file);
	else if (err == E_OK && creds.method == AUTH_MTLS && !str_is(rest, "any"))
		err = why_set(why, E_CONFIG, "'%s': the principal decides what it reads of a certificate; say mtls:any",
			      option);
	else if (err == E_OK && creds.method == AUTH_HEADER && rest.n)
		err = why_set(why, E_CONFIG, "'%s': the proxy adds the header; say header:", option);
	if (err == E_OK) {
		*ret_creds = creds;
		return E_OK;
	}
	auth_creds_release(&creds);
	return why_add(why, "--creds");
}

void auth_creds_release(struct auth_creds *creds)
{
	mem_free(creds->file);
	*creds = (struct auth_creds){ 0 };
}

static enum err take_login(struct str text, const char *path, struct why *why, struct auth_login *ret_login)
{
	struct str password = str_cut(&text, '\n'), name;
	struct auth_login login;

	if (password.n && password.p[password.n - 1] == '\r')
		password.n--;
	name = str_cut(&password, ':');
	if (!agent_name_set(&login.name, name) || password.n == 0 || memchr(password.p, '\0', password.n))
		return why_set(why, E_CONFIG, "%s: the first line is not name:password", path);
	login.password = str_dup(password);
	if (!login.password)
		return why_set(why, E_NOMEM, "%s", path);
	*ret_login = login;
	return E_OK;
}

enum err auth_login_read(const struct auth_creds *creds, struct why *why, struct auth_login *ret_login)
{
	struct buf text = { 0 };
	enum err err = file_read(creds->file, LOGIN_MAX, &text, why);

	if (err == E_OK)
		err = take_login(buf_view(&text), creds->file, why, ret_login);
	else if (err != E_NOMEM)
		err = E_CONFIG;
	buf_wipe(&text);
	if (err != E_OK)
		(void)why_add(why, "--creds userpass");
	return err;
}

void auth_login_release(struct auth_login *login)
{
	wipe_text(login->password);
	*login = (struct auth_login){ 0 };
}
