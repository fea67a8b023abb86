#include "gateway/sources/open_pulls.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "event/json_walk.h"
#include "gateway/fetch.h"
#include "gateway/sources/refs_changed.h"

#define ANSWER_MAX (1 << 20)

/* A member's text when it is a plain string. */
static struct str plain(struct str raw)
{
	if (raw.n < 2 || raw.p[0] != '"' || str_find(raw, '\\') < raw.n)
		return (struct str){ 0 };
	return str_sub(raw, 1, raw.n - 2);
}

static struct str member(struct str object, const char *name)
{
	struct json_member m = { .name = name };

	return object.n && object.p[0] == '{' && json_members(object, &m, 1) == E_OK ? m.raw : (struct str){ 0 };
}

/* What may stand in a path without changing its meaning: keys and slugs hold nothing else, nor do hashes. */
static bool is_segment(struct str s, size_t max)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		      c == '-' || c == '~' || (c == '.' && i)))
			return false;
	}
	return s.n && s.n <= max;
}

static char *path_of(struct str body)
{
	struct str repository = member(body, "repository"), slug = plain(member(repository, "slug"));
	struct str project = plain(member(member(repository, "project"), "key"));
	struct buf path = { .max = 1024 };
	char *copy = NULL;

	if (is_segment(slug, 256) && is_segment(project, 256)) {
		buf_addf(&path, "/api/1.0/projects/%.*s/repos/%.*s/commits/", STR_ARG(project), STR_ARG(slug));
		copy = path.err == E_OK ? str_dup(buf_view(&path)) : NULL;
	}
	buf_release(&path);
	return copy;
}

/* The newest commit of a branch that is there after the push. */
static struct str commit_of(struct str change)
{
	struct str hash = plain(member(change, "toHash"));

	if (!str_is(plain(member(member(change, "ref"), "type")), "BRANCH") ||
	    str_is(plain(member(change, "type")), "DELETE"))
		return (struct str){ 0 };
	return is_segment(hash, 64) ? hash : (struct str){ 0 };
}

static size_t read_changes(struct open_pulls *o, struct str changes)
{
	struct json_walk walk = json_walk(changes);
	size_t asked = 0;

	json_walk_enter(&walk);
	for (size_t i = 0; i < o->count && json_walk_next(&walk); i++) {
		struct str hash = commit_of(json_walk_value(&walk));

		if (hash.n == 0 || asked == REFS_ASKED_MAX)
			continue;
		memcpy(o->hash[i], hash.p, hash.n);
		asked++;
	}
	return asked;
}

bool open_pulls_init(struct open_pulls *o, struct str body, struct str changes, size_t count)
{
	*o = (struct open_pulls){ .path = path_of(body), .count = count };
	o->hash = mem_array(count, sizeof(*o->hash));
	o->skip = mem_array(count, sizeof(*o->skip));
	return o->path && o->hash && o->skip && read_changes(o, changes);
}

void open_pulls_release(struct open_pulls *o)
{
	mem_free(o->path);
	mem_free(o->hash);
	mem_free(o->skip);
	*o = (struct open_pulls){ 0 };
}

bool open_pulls_in(struct str answer)
{
	struct buf text = { 0 };
	bool open = false;

	if (json_compact(answer, /* plain= */ true, &text, NULL) == E_OK) {
		struct str values = member(buf_view(&text), "values");
		struct json_walk walk = json_walk(values.n && values.p[0] == '[' ? values : STR("[]"));

		for (json_walk_enter(&walk); !open && json_walk_next(&walk);)
			open = str_is(plain(member(json_walk_value(&walk), "state")), "OPEN");
	}
	buf_release(&text);
	return open;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------ */

static enum err ask_for(const struct open_pulls *o, size_t change, const struct bitbucketserver_settings *s,
			const char *token, uint32_t timeout_ms, bool *ret_open)
{
	struct buf url = { .max = 4096 }, answer = { .max = ANSWER_MAX };
	struct fetch fetch = { .plain = true,
			       .timeout_ms = timeout_ms,
			       .max = ANSWER_MAX,
			       .bearer = token,
			       .ca_path = s->tls.ca.path,
			       .cert_path = s->tls.cert.path,
			       .key_path = s->tls.key.path,
			       .insecure = s->tls.insecure };
	struct str base = str_of(s->base_url);
	struct why why = { 0 };
	enum err err;

	while (str_ends(base, STR("/")))
		base.n--;
	buf_addf(&url, "%.*s%s%s/pull-requests?limit=100", STR_ARG(base), o->path, o->hash[change]);
	fetch.url = buf_cstr(&url);
	err = fetch.url ? fetch_run(&fetch, &answer, &why) : why_set(&why, E_NOMEM, "no memory");
	if (err == E_OK)
		*ret_open = open_pulls_in(buf_view(&answer));
	else
		log_warn("gateway", "Bitbucket could not be asked for pull requests: the changes are kept",
			 LOG_S("commit", o->hash[change]), LOG_WHY(&why));
	buf_release(&url);
	buf_release(&answer);
	return err;
}

void open_pulls_ask(struct open_pulls *o, const struct bitbucketserver_settings *s, struct str token,
		    uint64_t budget_ms)
{
	uint64_t end_ms = clock_mono_ms() + budget_ms, now_ms;
	char *bearer = str_dup(token);
	enum err err = bearer ? E_OK : E_NOMEM;

	for (size_t i = 0; i < o->count && err == E_OK && (now_ms = clock_mono_ms()) < end_ms; i++)
		if (o->hash[i][0])
			err = ask_for(o, i, s, bearer, (uint32_t)(end_ms - now_ms), &o->skip[i]);
	if (bearer)
		explicit_bzero(bearer, token.n);
	mem_free(bearer);
}
