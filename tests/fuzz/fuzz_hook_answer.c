/*
 * fuzz_hook_answer.c -- what providers answer, or who stands in for them: lists of hooks, single ones, XML, Link fields.
 *
 * Input     the first byte chooses provider and goal; the rest is answers, divided by zero bytes: each its status, a line for
 *           Link, and the body.
 * Property  A conversation ends, or goes on with another request; whatever was answered, a request goes to a path of its own place
 *           and holds no byte that would end its line. With HOOK_LOOK none writes, with HOOK_KEEP none deletes but what was
 *           made in it. At rest no secret is held. Keys of a role are three texts, or none.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "event/json_text.h"
#include "gateway/hooks/app_token.h"
#include "gateway/hooks/aws_role.h"
#include "gateway/hooks/plan.h"
#include "gateway/hooks/text.h"

#define STEPS_MAX 64

static const char manifest[] =
	"apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: h}\nspec:\n"
	"  holdfast: {dataDir: d}\n"
	"  github: {a: {repositories: [{owner: o, names: [r]}], events: [push], apiToken: {name: s, key: t}, "
	"webhookSecret: {name: s, "
	"key: h},\n    webhook: {endpoint: /a, port: '1', url: 'https://us'}}}\n"
	"  gitlab: {b: {projects: [p], events: [PushEvents], accessToken: {name: s, key: t}, gitlabBaseURL: "
	"'https://g', secretToken: "
	"{name: s, key: h},\n    webhook: {endpoint: /b, port: '2', url: 'https://us'}}}\n"
	"  bitbucket: {c: {repositories: [{owner: o, repositorySlug: r}], events: [push], auth: {oauthToken: {name: s, "
	"key: t}},\n"
	"    webhook: {endpoint: /c, port: '3', url: 'https://us'}}}\n"
	"  bitbucketserver: {d: {projects: [P], repositories: [{projectKey: P, repositorySlug: r}], events: [push], "
	"accessToken: {name: s, "
	"key: t},\n    bitbucketserverBaseURL: 'https://b', webhookSecret: {name: s, key: h},\n"
	"    webhook: {endpoint: /d, port: '4', url: 'https://us'}}}\n"
	"  gerrit: {e: {projects: [p], events: [ref-updated], gerritBaseURL: 'https://g', auth: {username: {name: s, "
	"key: u}, password: "
	"{name: s, key: p}},\n    webhook: {endpoint: /e, port: '5', url: 'https://us'}}}\n"
	"  stripe: {f: {createWebhook: true, apiKey: {name: s, key: t}, webhook: {endpoint: /f, port: '6', url: "
	"'https://us'}}}\n"
	"  storageGrid: {g: {events: [e], topicArn: 'urn:t', bucket: b, authToken: {name: s, key: t}, apiURL: "
	"'https://s', filter: "
	"{prefix: p},\n    webhook: {endpoint: /g, port: '7', url: 'https://us'}}}\n"
	"  sns: {h: {topicArn: 'arn:t', region: r, accessKey: {name: s, key: a}, secretKey: {name: s, key: b},\n"
	"    webhook: {endpoint: /h, port: '8', url: 'https://us'}}}\n";

static struct hook *hooks[16];
static size_t hook_count;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void add_route(struct gateway_config *config, const struct route_config *route)
{
	struct hook_plan p;
	struct buf url = { 0 };

	hook_plan_route(route, &p);
	must(p.count > 0 && hook_plan_url(route, &url));
	for (size_t i = 0; i < p.count; i++) {
		struct hook *h = hook_new(config, route, p.places[i].provider, str_of(p.places[i].path), str_of("x"));

		must(h != NULL && hook_count < ARRAY_LEN(hooks));
		h->url = str_dup(buf_view(&url));
		if (p.secret && p.secret->path)
			secret_file_init(&h->secret, p.secret->path);
		hooks[hook_count++] = h;
	}
	buf_release(&url);
	hook_plan_release(&p);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct config_text text = { "fuzz", str_of(manifest) };
	const struct config_input input = { .texts = &text, .text_count = 1 };
	struct problems problems = { 0 };
	struct gateway_config *config = NULL;

	(void)argc;
	(void)argv;
	must(gateway_config_read(&input, &problems, &config) == E_OK);
	for (size_t i = 0; i < config->route_count; i++)
		add_route(config, &config->routes[i]);
	problems_release(&problems);
	return 0;
}

static void check_request(const struct hook *h, const struct hook_request *r, enum hook_goal goal)
{
	bool removes = h->phase == HOOK_REMOVING, writes = h->phase == HOOK_WRITING || removes;

	must(str_starts(buf_view(&r->path), str_of(h->path)));
	for (size_t i = 0; i < r->path.n; i++)
		must(r->path.p[i] > ' ' || i >= strlen(h->path)); /* a provider's query is libcurl's to judge */
	must(!writes || goal != HOOK_LOOK);
	must(!removes || goal == HOOK_REMOVE || h->action == HOOK_DELETE);
	if (r->body.n && !r->form)
		must(json_valid(buf_view(&r->body)));
}

/* The next answer of the input, taken off its front. */
static enum err answer(struct hook *h, struct str *rest)
{
	struct str one = str_cut(rest, '\0');
	struct hook_answer a = { .status = one.n ? 100 + (unsigned char)one.p[0] * 2u : 200 };
	struct buf space = { 0 };
	struct why why = { 0 };
	enum err err;

	one = str_sub(one, 1, one.n);
	a.link = str_cut(&one, '\n');
	a.next_page = a.link;
	a.body = hook_body(h->provider, one, &space);
	err = hook_take(h, &a, 0, &why);
	buf_release(&space);
	return err;
}

static void converse(struct hook *h, enum hook_goal goal, struct str rest)
{
	struct hook_request r;

	hook_begin(h, goal);
	if (h->secret.path)
		must(hook_set_secret(h, STR("s"), 1) == E_OK);
	for (int step = 0; rest.n && step < STEPS_MAX && h->phase != HOOK_AT_REST; step++) {
		must(hook_request(h, &r) == E_OK);
		check_request(h, &r, goal);
		hook_request_release(&r);
		if (answer(h, &rest) != E_OK)
			break;
	}
	hook_stop(h);
	must(!h->secret_now.p && h->phase == HOOK_AT_REST);
	h->unkept = 0;
	h->mine[0] = h->once[0] = '\0';
}

/* Three texts that can stand in a field each, or nothing. */
static void check_role(struct str text)
{
	struct buf keys = { 0 };
	int64_t until_s;
	size_t lines = 0;

	if (aws_role_read(text, 0, &keys, &until_s, NULL) == E_OK) {
		for (size_t i = 0; i < keys.n; i++) {
			lines += keys.p[i] == '\n';
			must(keys.p[i] == '\n' || (keys.p[i] > ' ' && keys.p[i] < 0x7f));
		}
		must(lines == 3 && keys.n <= text.n + 3);
	} else {
		must(keys.n == 0);
	}
	buf_release(&keys);
}

static void read_texts(struct str text)
{
	struct buf line = { 0 }, token = { 0 };
	struct str query = text_next_query(text);
	int64_t until_s;

	must(query.n < text.n || text.n == 0);
	must(str_find(query, '#') == query.n);
	if (json_valid(text) || str_starts(text, STR("<"))) {
		struct buf compact = { 0 };

		if (json_compact(text, true, &compact, NULL) == E_OK) {
			text_complaint(buf_view(&compact), &line);
			(void)app_token_read(buf_view(&compact), 0, &token, &until_s, NULL);
		} else {
			text_complaint(text, &line);
		}
		buf_release(&compact);
	}
	check_role(text);
	for (size_t i = 0; i < line.n; i++)
		must(line.p[i] >= ' ' && line.p[i] < 0x7f);
	buf_release(&line);
	buf_release(&token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data + 1, size - 1 };

	if (size < 2)
		return 0;
	read_texts(rest);
	converse(hooks[data[0] % hook_count], (enum hook_goal)(data[0] / hook_count % 3), rest);
	return 0;
}
