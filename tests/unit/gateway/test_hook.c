/* Conversations with providers, request by request, with the answers that their documentation shows. */
#include "gateway/hooks/hook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "gateway/hooks/plan.h"
#include "manifest.h"

#define US "https://us/hook"

static struct gateway_config *config_of(const char *kind, const char *keys)
{
	struct gateway_config *config;
	struct buf text = { 0 };

	buf_addf(&text,
		 "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hosts}\nspec:\n"
		 "  holdfast: {dataDir: d}\n  %s:\n    e:\n"
		 "      webhook: {endpoint: /hook, port: '12000', url: 'https://us//'}\n%s",
		 kind, keys);
	config = manifest_load(buf_cstr(&text));
	buf_release(&text);
	return config;
}

/* The hook of the place with this number. */
static struct hook *hook_of(const char *kind, const char *keys, size_t place)
{
	struct gateway_config *config = config_of(kind, keys);
	struct hook_plan p;
	struct hook *h;

	hook_plan_route(&config->routes[0], &p);
	assert_int_equal(p.err, E_OK);
	assert_true(place < p.count);
	h = hook_new(config, &config->routes[0], p.places[place].provider, str_of(p.places[place].path),
		     str_of(p.places[place].place));
	assert_non_null(h);
	h->url = str_dup(STR(US));
	if (p.secret && p.secret->path)
		secret_file_init(&h->secret, p.secret->path);
	hook_plan_release(&p);
	gateway_config_unref(config);
	return h;
}

static void begin(struct hook *h, enum hook_goal goal)
{
	hook_begin(h, goal);
	if (h->secret.path)
		assert_int_equal(hook_set_secret(h, STR("s3cret"), 7), E_OK);
}

/* `> request` and `< answer`. */
static enum err answer_with(struct hook *h, unsigned status, const char *body, const char *link)
{
	struct hook_answer a = { .status = status, .link = str_of(link) };
	struct buf space = { 0 };
	enum err err;

	a.body = hook_body(h->provider, str_of(body), &space);
	err = hook_take(h, &a, /* random= */ 1234, NULL);
	buf_release(&space);
	return err;
}

static enum err says(struct hook *h, const char *request, unsigned status, const char *body)
{
	struct hook_request r;
	struct buf text = { 0 };

	assert_int_equal(hook_request(h, &r), E_OK);
	buf_addf(&text, "%s ", r.method);
	buf_str(&text, buf_view(&r.path));
	if (r.body.n) {
		buf_char(&text, ' ');
		buf_str(&text, buf_view(&r.body));
	}
	assert_string_equal(buf_cstr(&text), request);
	hook_request_release(&r);
	buf_release(&text);
	return answer_with(h, status, body, NULL);
}

#define SAYS(request, status, body) assert_int_equal(says(h, request, status, body), E_OK)

static void rests(struct hook *h, enum hook_action action)
{
	assert_int_equal(h->phase, HOOK_AT_REST);
	assert_int_equal(h->action, action);
	assert_null(h->secret_now.p);
	hook_free(h);
}

/* ---- GitHub --------------------------------------------------------------------------------------------------------------- */

#define GITHUB                                                                               \
	"      repositories: [{owner: o, names: [r]}]\n      events: [push, push, create]\n" \
	"      active: true\n      contentType: json\n      apiToken: {name: s, key: t}\n"   \
	"      webhookSecret: {name: s, key: h}\n"
#define G_LIST "GET /repos/o/r/hooks?per_page=100"
#define G_BODY                                                                             \
	"\"active\":true,\"events\":[\"push\",\"create\"],\"config\":{\"url\":\"" US "\"," \
	"\"content_type\":\"json\",\"insecure_ssl\":\"0\",\"secret\":\"s3cret\"}}"
#define G_HOOK(id, events)                                                                       \
	"{\"id\": " id ", \"active\": true, \"events\": " events ", \"config\": {\"url\": \"" US \
	"\", \"content_type\": \"json\", \"insecure_ssl\": 0, \"secret\": \"********\"}}"
#define G_GOOD(id) G_HOOK(id, "[\"create\", \"push\"]")

static void a_hook_that_is_missing_is_looked_for_twice_and_made_once(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS(G_LIST, 200, "[]");
	assert_int_equal(h->pause_ms, 1234);
	SAYS(G_LIST, 200, "[{\"id\":1,\"config\":{\"url\":\"" US "/other\"}}]");
	SAYS("POST /repos/o/r/hooks {\"name\":\"web\"," G_BODY, 201, G_GOOD("12"));
	SAYS(G_LIST, 200, "[" G_GOOD("12") "]");
	rests(h, HOOK_CREATE);
}

static void a_hook_that_another_gateway_makes_meanwhile_is_not_made_again(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS(G_LIST, 200, "[]");
	SAYS(G_LIST, 200, "[" G_GOOD("12") "]");
	rests(h, HOOK_NOTHING);
}

static void of_two_that_were_made_at_once_ours_goes_when_it_is_the_younger(void **state)
{
	static const struct {
		const char *list; /* after ours, 12, was made */
		bool goes;
	} rows[] = {
		{ "[" G_GOOD("11") "," G_GOOD("12") "]", true },
		{ "[" G_GOOD("12") "," G_GOOD("11") "]", true },
		{ "[" G_GOOD("9") "," G_GOOD("12") "]", true },
		{ "[" G_GOOD("12") "," G_GOOD("13") "]", false },
		{ "[" G_GOOD("12") "," G_GOOD("100") "]", false },
		{ "[" G_HOOK("11", "[\"fork\"]") "," G_GOOD("12") "]", false }, /* a hook of another purpose */
		{ "[]", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hook *h = hook_of("github", GITHUB, 0);

		begin(h, HOOK_KEEP);
		SAYS(G_LIST, 200, "[]");
		SAYS(G_LIST, 200, "[]");
		SAYS("POST /repos/o/r/hooks {\"name\":\"web\"," G_BODY, 201, G_GOOD("12"));
		SAYS(G_LIST, 200, rows[i].list);
		if (rows[i].goes)
			SAYS("DELETE /repos/o/r/hooks/12", 204, "");
		rests(h, rows[i].goes ? HOOK_DELETE : HOOK_CREATE);
	}
}

static void what_differs_decides_whether_github_is_written_to(void **state)
{
#define HOOK(events, active, type, tls, secret)                                            \
	"[{\"id\":5,\"events\":" events ",\"active\":" active ",\"config\":{\"url\":\"" US \
	"\",\"content_type\":\"" type "\",\"insecure_ssl\":" tls secret "}}]"
#define SECRET ",\"secret\":\"********\""
	static const struct {
		const char *list;
		unsigned differs;
	} rows[] = {
		{ HOOK("[\"push\",\"create\"]", "true", "json", "\"0\"", SECRET), 0 },
		{ HOOK("[\"create\",\"push\",\"push\"]", "true", "json", "0", SECRET), 0 },
		{ HOOK("[\"push\"]", "true", "json", "0", SECRET), HOOK_EVENTS },
		{ HOOK("[\"push\",\"create\",\"fork\"]", "true", "json", "0", SECRET), HOOK_EVENTS },
		{ HOOK("[\"*\"]", "true", "json", "0", SECRET), HOOK_EVENTS },
		{ HOOK("null", "true", "json", "0", SECRET), HOOK_EVENTS },
		{ HOOK("[\"push\",\"create\",1]", "true", "json", "0", SECRET), HOOK_EVENTS },
		{ HOOK("[\"push\",\"create\"]", "false", "json", "0", SECRET), HOOK_ACTIVE },
		{ HOOK("[\"push\",\"create\"]", "true", "form", "0", SECRET), HOOK_FORMAT },
		{ HOOK("[\"push\",\"create\"]", "true", "json", "\"1\"", SECRET), HOOK_TLS },
		{ HOOK("[\"push\",\"create\"]", "true", "json", "0", ""), HOOK_SECRET },
		{ HOOK("[]", "null", "x", "1", ""), HOOK_EVENTS | HOOK_ACTIVE | HOOK_FORMAT | HOOK_TLS | HOOK_SECRET },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hook *h = hook_of("github", GITHUB, 0);

		begin(h, HOOK_KEEP);
		SAYS(G_LIST, 200, rows[i].list);
		assert_int_equal(h->best_differs, rows[i].differs);
		if (rows[i].differs) {
			SAYS("PATCH /repos/o/r/hooks/5 {" G_BODY, 200, "{}");
			SAYS(G_LIST, 200, "[" G_GOOD("5") "]");
		}
		rests(h, rows[i].differs ? HOOK_UPDATE : HOOK_NOTHING);
	}
#undef HOOK
#undef SECRET
}

static void pages_are_followed_by_their_query_alone(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);
	struct hook_request r;

	(void)state;
	begin(h, HOOK_KEEP);
	assert_int_equal(
		answer_with(h, 200, "[{\"id\":1}]",
			    "<https://elsewhere/x?page=7>; rel=\"last\", <https://evil/y?page=2&a=b>; rel=\"next\""),
		E_OK);
	assert_int_equal(hook_request(h, &r), E_OK);
	assert_true(str_is(buf_view(&r.path), "/repos/o/r/hooks?page=2&a=b"));
	hook_request_release(&r);
	assert_int_equal(answer_with(h, 200, "[" G_GOOD("3") "]", NULL), E_OK);
	rests(h, HOOK_NOTHING);
}

static void a_list_without_end_is_an_error(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);
	enum err err = E_OK;
	int pages = 0;

	(void)state;
	begin(h, HOOK_KEEP);
	while (err == E_OK && pages++ < 2 * HOOK_PAGES_MAX)
		err = answer_with(h, 200, "[]", "<https://x/?page=2>; rel=next");
	assert_int_equal(err, E_LIMIT);
	assert_int_equal(pages, HOOK_PAGES_MAX);
	hook_free(h);
}

static void what_a_provider_does_not_keep_is_written_once(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);

	(void)state;
	for (int pass = 0; pass < 3; pass++) {
		begin(h, HOOK_KEEP);
		SAYS(G_LIST, 200, "[" G_HOOK("5", "[\"push\"]") "]");
		if (pass == 0) {
			SAYS("PATCH /repos/o/r/hooks/5 {" G_BODY, 200, "{}");
			SAYS(G_LIST, 200, "[" G_HOOK("5", "[\"push\"]") "]");
		}
		assert_int_equal(h->phase, HOOK_AT_REST);
	}
	assert_int_equal(h->unkept, HOOK_EVENTS);
	hook_free(h);
}

static void another_secret_is_written_when_it_is_known_to_be_another(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);

	(void)state;
	begin(h, HOOK_KEEP); /* with mark 7 */
	SAYS(G_LIST, 200, "[" G_GOOD("5") "]");
	hook_begin(h, HOOK_KEEP);
	assert_int_equal(hook_set_secret(h, STR("n\"w"), 8), E_OK);
	SAYS(G_LIST, 200, "[" G_GOOD("5") "]");
	assert_int_equal(h->changed, HOOK_SECRET);
	SAYS("PATCH /repos/o/r/hooks/5 {\"active\":true,\"events\":[\"push\",\"create\"],\"config\":{\"url\":\"" US
	     "\",\"content_type\":\"json\",\"insecure_ssl\":\"0\",\"secret\":\"n\\\"w\"}}",
	     200, "{}");
	SAYS(G_LIST, 200, "[" G_GOOD("5") "]");
	hook_begin(h, HOOK_KEEP);
	assert_int_equal(hook_set_secret(h, STR("n\"w"), 8), E_OK);
	SAYS(G_LIST, 200, "[" G_GOOD("5") "]");
	rests(h, HOOK_NOTHING);
}

static void a_hook_is_taken_away_once(void **state)
{
	static const unsigned statuses[] = { 200, 204, 404, 410 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct hook *h = hook_of("github", GITHUB, 0);

		begin(h, HOOK_REMOVE);
		SAYS(G_LIST, 200, "[{\"id\":1,\"config\":{\"url\":\"https://x\"}}," G_GOOD("5") "]");
		SAYS("DELETE /repos/o/r/hooks/5", statuses[i], "");
		hook_begin(h, HOOK_REMOVE);
		SAYS(G_LIST, 200, "[]");
		rests(h, HOOK_NOTHING);
	}
}

static void looking_writes_nothing(void **state)
{
	static const struct {
		const char *list;
		enum hook_action action;
	} rows[] = {
		{ "[]", HOOK_CREATE },
		{ "[" G_GOOD("5") "]", HOOK_NOTHING },
		{ "[" G_HOOK("5", "[]") "]", HOOK_UPDATE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hook *h = hook_of("github", GITHUB, 0);

		begin(h, HOOK_LOOK);
		SAYS(G_LIST, 200, rows[i].list);
		rests(h, rows[i].action);
	}
}

static void what_is_no_list_is_an_error_and_nothing_is_written(void **state)
{
	static const struct {
		unsigned status;
		const char *body;
		enum err err;
	} rows[] = {
		{ 200, "", E_MALFORMED },   { 200, "{}", E_MALFORMED },     { 200, "null", E_MALFORMED },
		{ 200, "[", E_MALFORMED },  { 200, "<html>", E_MALFORMED }, { 204, "", E_MALFORMED },
		{ 404, "{}", E_NOT_FOUND }, { 410, "{}", E_NOT_FOUND },     { 301, "[]", E_FORBIDDEN },
		{ 401, "[]", E_FORBIDDEN }, { 500, "[]", E_FORBIDDEN },     { 200, "\"x\"", E_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hook *h = hook_of("github", GITHUB, 0);

		begin(h, HOOK_KEEP);
		assert_int_equal(says(h, G_LIST, rows[i].status, rows[i].body), rows[i].err);
		assert_int_equal(h->phase, HOOK_LISTING);
		hook_stop(h);
		rests(h, HOOK_NOTHING);
	}
}

static void items_that_are_none_are_passed_over(void **state)
{
	struct hook *h = hook_of("github", GITHUB, 0);

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS(G_LIST, 200,
	     "[1,null,\"x\",[],{},{\"config\":1},{\"config\":{\"url\":null}},{\"id\":{},\"config\":{\"url\":\"" US
	     "\"}},{\"id\":\"a\\u0000b\",\"config\":{\"url\":\"" US "\"}},{\"config\":{\"url\":\"" US "\"}}]");
	assert_int_equal(h->phase, HOOK_CHECKING);
	assert_int_equal(h->seen, 0);
	hook_free(h);
}

static void places_of_github(void **state)
{
	static const struct {
		const char *keys;
		const char *base;
		const char *path;
	} rows[] = {
		{ "      owner: o\n      repository: r.x\n", "https://api.github.com", "/repos/o/r.x/hooks" },
		{ "      organizations: [a b]\n", "https://api.github.com", "/orgs/a%20b/hooks" },
		{ "      organizations: [a]\n      githubBaseURL: https://g/\n      githubUploadURL: x\n",
		  "https://g/api/v3", "/orgs/a/hooks" },
		{ "      organizations: [a]\n      githubBaseURL: https://g/api/v3/\n      githubUploadURL: x\n",
		  "https://g/api/v3", "/orgs/a/hooks" },
		{ "      organizations: [a]\n      githubBaseURL: https://api.g.com/\n      githubUploadURL: x\n",
		  "https://api.g.com", "/orgs/a/hooks" },
		{ "      organizations: [a]\n      githubBaseURL: https://x.api.g.com\n      githubUploadURL: x\n",
		  "https://x.api.g.com", "/orgs/a/hooks" },
		{ "      organizations: [../../x]\n", "https://api.github.com", "/orgs/..%2F..%2Fx/hooks" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf keys = { 0 };
		struct gateway_config *config;
		struct hook_plan p;

		buf_addf(&keys, "      events: ['*']\n      apiToken: {name: s, key: t}\n%s", rows[i].keys);
		config = config_of("github", buf_cstr(&keys));
		hook_plan_route(&config->routes[0], &p);
		assert_int_equal(p.count, 1);
		assert_string_equal(buf_cstr(&p.login.base), rows[i].base);
		assert_string_equal(p.places[0].path, rows[i].path);
		hook_plan_release(&p);
		gateway_config_unref(config);
		buf_release(&keys);
	}
}

/* ---- the others ------------------------------------------------------------------------------------------------------------ */

static void gitlab_gets_every_event_by_name(void **state)
{
	struct hook *h = hook_of("gitlab",
				 "      projects: [g/p]\n      events: [TagPushEvents, EmojiEvents]\n"
				 "      accessToken: {name: s, key: t}\n      gitlabBaseURL: https://g\n",
				 0);
	const char *list = "GET /projects/g%2Fp/hooks?per_page=100";
	const char *body = "{\"url\":\"" US "\",\"push_events\":false,\"tag_push_events\":true,\"issues_events\":false,"
			   "\"confidential_issues_events\":false,\"merge_requests_events\":false,\"note_events\":false,"
			   "\"confidential_note_events\":false,\"job_events\":false,\"pipeline_events\":false,"
			   "\"wiki_page_events\":false,\"emoji_events\":true,\"enable_ssl_verification\":false}";
	struct buf put = { 0 }, one = { 0 };

	(void)state;
	buf_addf(&put, "PUT /projects/g%%2Fp/hooks/7 %s", body);
	buf_addf(&one, "[{\"id\":7,%s]", body + 1);
	begin(h, HOOK_KEEP);
	SAYS(list, 200, "[{\"id\":7,\"url\":\"" US "\",\"push_events\":true}]");
	assert_int_equal(h->changed, HOOK_EVENTS);
	SAYS(buf_cstr(&put), 200, "{}");
	SAYS(list, 200, buf_cstr(&one));
	rests(h, HOOK_UPDATE);
	buf_release(&put);
	buf_release(&one);
}

static void bitbucket_pages_lead_nowhere_else(void **state)
{
	struct hook *h = hook_of("bitbucket",
				 "      repositories: [{owner: t, repositorySlug: r}]\n      events: ['repo:push']\n"
				 "      auth: {oauthToken: {name: s, key: t}}\n"
				 "      holdfast: {webhookSecret: {name: s, key: h}}\n",
				 0);
	const char *body = "{\"description\":\"webhook managed by Argo-Events\",\"url\":\"" US
			   "\",\"active\":true,\"events\":[\"repo:push\"],\"secret\":\"s3cret\"}";
	struct buf put = { 0 };

	(void)state;
	buf_addf(&put, "PUT /repositories/t/r/hooks/%%7Bu-1%%7D %s", body);
	begin(h, HOOK_KEEP);
	SAYS("GET /repositories/t/r/hooks?pagelen=100", 200,
	     "{\"values\":[],\"next\":\"https://evil.example/x?page=2#y\"}");
	SAYS("GET /repositories/t/r/hooks?page=2", 200,
	     "{\"values\":[{\"uuid\":\"{u-1}\",\"url\":\"" US
	     "\",\"active\":true,\"events\":[\"repo:push\"],\"secret_set\":false}]}");
	assert_int_equal(h->changed, HOOK_SECRET);
	SAYS(buf_cstr(&put), 200, "{}");
	SAYS("GET /repositories/t/r/hooks?pagelen=100", 200, "{\"values\":[]}");
	rests(h, HOOK_UPDATE);
	buf_release(&put);
}

#define SERVER                                                                            \
	"      projects: [P]\n      repositories: [{projectKey: P, repositorySlug: r}]\n" \
	"      events: ['pr:opened']\n      accessToken: {name: s, key: t}\n"             \
	"      webhookSecret: {name: s, key: h}\n      bitbucketserverBaseURL: https://b/rest\n"

static void bitbucket_data_center_shows_its_secret(void **state)
{
	static const struct {
		const char *secret;
		bool same;
	} rows[] = { { "s3cret", true }, { "other", false }, { "", false }, { "*****", true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hook *h = hook_of("bitbucketserver", SERVER, 0);
		struct buf list = { 0 };

		buf_addf(&list,
			 "{\"values\":[{\"id\":3,\"url\":\"" US "\",\"active\":true,\"events\":[\"pr:opened\"],"
			 "\"configuration\":{\"secret\":\"%s\"}}],\"isLastPage\":true}",
			 rows[i].secret);
		begin(h, HOOK_KEEP);
		SAYS("GET /api/1.0/projects/P/repos/r/webhooks?limit=100&start=0", 200,
		     "{\"values\":[],\"isLastPage\":false,\"nextPageStart\":25}");
		SAYS("GET /api/1.0/projects/P/repos/r/webhooks?limit=100&start=25", 200, buf_cstr(&list));
		assert_int_equal(h->phase, rows[i].same ? HOOK_AT_REST : HOOK_WRITING);
		hook_free(h);
		buf_release(&list);
	}
}

static void a_project_is_as_many_places_as_it_has_repositories(void **state)
{
	struct hook *h = hook_of("bitbucketserver", SERVER, 1);
	struct str added;

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS("GET /api/1.0/projects/P/repos?limit=100&start=0", 200,
	     "{\"values\":[{\"slug\":\"a\"},{\"slug\":\"\"},{}],\"nextPageStart\":3}");
	SAYS("GET /api/1.0/projects/P/repos?limit=100&start=3", 200,
	     "{\"values\":[{\"slug\":\"b/c\"}],\"isLastPage\":true}");
	added = buf_view(&h->added);
	assert_true(str_is(str_cut(&added, '\0'), "/api/1.0/projects/P/repos/a/webhooks"));
	assert_true(str_is(str_cut(&added, '\0'), "P/a"));
	assert_true(str_is(str_cut(&added, '\0'), "/api/1.0/projects/P/repos/b%2Fc/webhooks"));
	assert_true(str_is(str_cut(&added, '\0'), "P/b/c"));
	assert_int_equal(added.n, 0);
	rests(h, HOOK_NOTHING);
}

static void gerrit_has_one_remote_of_a_name(void **state)
{
	struct hook *h = hook_of("gerrit",
				 "      projects: [a/b]\n      events: [ref-updated]\n      gerritBaseURL: https://g\n"
				 "      auth: {username: {name: s, key: u}, password: {name: s, key: p}}\n",
				 0);
	const char *get = "GET /a/config/server/webhooks~projects/a%2Fb/remotes/e/";
	const char *put = "PUT /a/config/server/webhooks~projects/a%2Fb/remotes/e/ {\"url\":\"" US
			  "\",\"events\":[\"ref-updated\"],\"sslVerify\":false}";
	const char *good = ")]}'\n{\"url\":\"" US "\",\"events\":[\"ref-updated\"],\"maxTries\":5,\"sslVerify\":false}";

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS(get, 404, "Not found: e");
	SAYS(get, 404, "Not found: e");
	SAYS(put, 201, good);
	SAYS(get, 200, good);
	assert_int_equal(h->phase, HOOK_AT_REST);
	begin(h, HOOK_KEEP);
	SAYS(get, 200, ")]}'\n{\"url\":\"https://old\",\"events\":[\"ref-updated\"],\"sslVerify\":true}");
	assert_int_equal(h->changed, HOOK_ADDRESS | HOOK_TLS);
	SAYS(put, 200, good);
	SAYS(get, 200, good);
	begin(h, HOOK_REMOVE);
	SAYS(get, 200, good);
	SAYS("DELETE /a/config/server/webhooks~projects/a%2Fb/remotes/e/", 204, "");
	rests(h, HOOK_DELETE);
}

static void stripe_is_asked_again_with_the_same_key(void **state)
{
	struct hook *h = hook_of("stripe", "      createWebhook: true\n      apiKey: {name: s, key: t}\n", 0);
	const char *list = "GET /v1/webhook_endpoints?limit=100";
	const char *make = "POST /v1/webhook_endpoints url=https%3A%2F%2Fus%2Fhook&enabled_events%5B%5D=%2A";
	struct hook_request r;
	char once[sizeof(h->once)];

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS(list, 200, "{\"data\":[{\"id\":\"we_1\",\"url\":\"https://x\"}],\"has_more\":true}");
	SAYS("GET /v1/webhook_endpoints?limit=100&starting_after=we_1", 200, "{\"data\":[]}");
	SAYS(list, 200, "{\"data\":[]}");
	assert_int_equal(hook_request(h, &r), E_OK);
	assert_true(r.once && r.form);
	hook_request_release(&r);
	memcpy(once, h->once, sizeof(once));
	assert_int_equal(strlen(once), 32);
	hook_stop(h); /* no answer came */
	begin(h, HOOK_KEEP);
	SAYS(list, 200, "{\"data\":[]}");
	SAYS(list, 200, "{\"data\":[]}");
	assert_int_equal(hook_request(h, &r), E_OK);
	assert_string_equal(h->once, once);
	hook_request_release(&r);
	SAYS(make, 200, "{\"id\":\"we_2\",\"secret\":\"whsec_x\"}");
	assert_string_equal(h->once, "");
	SAYS(list, 200,
	     "{\"data\":[{\"id\":\"we_2\",\"url\":\"" US "\",\"enabled_events\":[\"*\"],\"status\":\"enabled\"}]}");
	rests(h, HOOK_CREATE);
}

static void sns_is_subscribed_and_asked_for_confirmation_once(void **state)
{
#define LISTED(arn)                                                                                                 \
	"<R><ListSubscriptionsByTopicResult><Subscriptions><member><Endpoint>https://x</Endpoint></member><member>" \
	"<SubscriptionArn>" arn "</SubscriptionArn><Endpoint>" US "</Endpoint></member></Subscriptions>"            \
	"</ListSubscriptionsByTopicResult></R>"
	struct hook *h = hook_of("sns",
				 "      topicArn: arn:t\n      region: eu-west-1\n      accessKey: {name: s, key: a}\n"
				 "      secretKey: {name: s, key: b}\n",
				 0);
	const char *list = "POST / Action=ListSubscriptionsByTopic&Version=2010-03-31&TopicArn=arn%3At";
	const char *subscribe = "POST / Action=Subscribe&Version=2010-03-31&TopicArn=arn%3At&Protocol=https&Endpoint="
				"https%3A%2F%2Fus%2Fhook&ReturnSubscriptionArn=true";

	(void)state;
	begin(h, HOOK_KEEP);
	SAYS(list, 200, LISTED("PendingConfirmation"));
	SAYS(subscribe, 200, "<x/>");
	SAYS(list, 200, LISTED("PendingConfirmation"));
	begin(h, HOOK_KEEP);
	SAYS(list, 200, LISTED("PendingConfirmation"));
	assert_int_equal(h->phase, HOOK_AT_REST);
	begin(h, HOOK_REMOVE);
	SAYS(list, 200, LISTED("PendingConfirmation"));
	assert_int_equal(h->phase, HOOK_AT_REST);
	begin(h, HOOK_REMOVE);
	SAYS(list, 200, LISTED("arn:t:1"));
	SAYS("POST / Action=Unsubscribe&Version=2010-03-31&SubscriptionArn=arn%3At%3A1", 200, "<x/>");
	rests(h, HOOK_DELETE);
#undef LISTED
}

static void without_memory_nothing_is_taken_for_true(void **state)
{
	bool done = false;

	(void)state;
	for (long n = 1; !done; n++) {
		struct hook *h = hook_of("github", GITHUB, 0);
		struct hook_request r;
		enum err err;

		mem_fail_at(n);
		hook_begin(h, HOOK_KEEP);
		err = hook_set_secret(h, STR("s3cret"), 7);
		for (int step = 0; err == E_OK && h->phase != HOOK_AT_REST && step < 10; step++) {
			err = hook_request(h, &r);
			hook_request_release(&r);
			if (err == E_OK)
				err = answer_with(h, 200, step < 2 ? "[]" : "[" G_GOOD("5") "]", NULL);
		}
		done = mem_count() < n;
		mem_fail_at(0);
		if (err == E_OK)
			assert_int_equal(h->phase, HOOK_AT_REST);
		else
			assert_true(err == E_NOMEM || err == E_MALFORMED);
		hook_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hook_that_is_missing_is_looked_for_twice_and_made_once),
		cmocka_unit_test(a_hook_that_another_gateway_makes_meanwhile_is_not_made_again),
		cmocka_unit_test(of_two_that_were_made_at_once_ours_goes_when_it_is_the_younger),
		cmocka_unit_test(what_differs_decides_whether_github_is_written_to),
		cmocka_unit_test(pages_are_followed_by_their_query_alone),
		cmocka_unit_test(a_list_without_end_is_an_error),
		cmocka_unit_test(what_a_provider_does_not_keep_is_written_once),
		cmocka_unit_test(another_secret_is_written_when_it_is_known_to_be_another),
		cmocka_unit_test(a_hook_is_taken_away_once),
		cmocka_unit_test(looking_writes_nothing),
		cmocka_unit_test(what_is_no_list_is_an_error_and_nothing_is_written),
		cmocka_unit_test(items_that_are_none_are_passed_over),
		cmocka_unit_test(places_of_github),
		cmocka_unit_test(gitlab_gets_every_event_by_name),
		cmocka_unit_test(bitbucket_pages_lead_nowhere_else),
		cmocka_unit_test(bitbucket_data_center_shows_its_secret),
		cmocka_unit_test(a_project_is_as_many_places_as_it_has_repositories),
		cmocka_unit_test(gerrit_has_one_remote_of_a_name),
		cmocka_unit_test(stripe_is_asked_again_with_the_same_key),
		cmocka_unit_test(sns_is_subscribed_and_asked_for_confirmation_once),
		cmocka_unit_test(without_memory_nothing_is_taken_for_true),
	};

	return cmocka_run_group_tests(tests, manifest_begin, manifest_end);
}
