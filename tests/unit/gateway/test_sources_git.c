/* What a manifest may say of a git host: facts argo-events 1.3 to 1.7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "gateway/config.h"
#include "gateway/sources/bitbucket.h"
#include "gateway/sources/bitbucketserver.h"
#include "gateway/sources/gerrit.h"
#include "gateway/sources/github.h"
#include "gateway/sources/gitlab.h"
#include "gateway/sources/source.h"
#include "manifest.h"

/* One event `e` of `kind`, whose keys begin in line 9. */
static enum err load(const char *kind, const char *keys, struct problems *problems, struct gateway_config **ret_config)
{
	static const char *const paths[] = { "a.yaml" };
	char text[4096]; /* in memory that does not fail */
	int n = snprintf(text, sizeof(text),
			 "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hosts}\nspec:\n"
			 "  holdfast: {dataDir: d}\n  %s:\n    e:\n      webhook: {endpoint: /e, port: '12000'%s}\n%s",
			 kind, strstr(keys, "# url") ? ", url: 'https://us'" : "", keys);

	assert_in_range(n, 1, sizeof(text) - 1);
	manifest_file(paths[0], text);
	*ret_config = NULL;
	return gateway_config_load(paths, 1, problems, ret_config);
}

static struct gateway_config *load_good(const char *kind, const char *keys)
{
	struct problems problems = { 0 };
	struct gateway_config *config;
	struct buf text = { 0 };
	enum err err = load(kind, keys, &problems, &config);

	problems_write(&problems, &text);
	if (err != E_OK)
		print_error("%s", buf_cstr(&text));
	assert_int_equal(err, E_OK);
	buf_release(&text);
	problems_release(&problems);
	return config;
}

#define SECRET(key) "{name: s, key: " key "}"

static void everything_of_github_arrives(void **state)
{
	struct gateway_config *c = load_good(
		"github",
		"      id: 123\n"
		"      owner: o\n"
		"      repository: r\n"
		"      repositories: [{owner: a, names: [b, c]}, {owner: d}]\n"
		"      events: ['*', push]\n"
		"      apiToken: " SECRET("api") "\n"
						 "      githubApp: {privateKey: " SECRET(
							 "pem") ", appID: 7, installationID: 8}\n"
								"      webhookSecret: " SECRET(
									"hook") "\n"
										"      insecure: true\n"
										"      active: true\n"
										"      contentType: form\n"
										"      githubBaseURL: https://g\n"
										"      githubUploadURL: https://u\n"
										"      deleteHookOnFinish: true\n"
										"      metadata: {k: v}\n");
	const struct route_config *r = &c->routes[0];
	const struct github_settings *s = r->settings;
	const struct github_repository *repositories = s->repositories.items;

	(void)state;
	assert_ptr_equal(r->ops, &source_github);
	assert_int_equal(r->deadline_ms, 8000);
	assert_true(r->mask_secrets);
	assert_int_equal(r->secret_overlap_ms, 86400000);
	assert_int_equal(r->metadata_count, 1);
	assert_string_equal(s->owner, "o");
	assert_string_equal(s->repository, "r");
	assert_int_equal(s->repositories.count, 2);
	assert_string_equal(repositories[0].owner, "a");
	assert_string_equal(repositories[0].names.items[1], "c");
	assert_int_equal(repositories[1].names.count, 0);
	assert_int_equal(s->events.count, 2);
	assert_string_equal(s->api_token.path, "/argo-events/secrets/s/api");
	assert_string_equal(s->app.private_key.path, "/argo-events/secrets/s/pem");
	assert_int_equal(s->app.app_id, 7);
	assert_int_equal(s->app.installation_id, 8);
	assert_string_equal(s->webhook_secret.path, "/argo-events/secrets/s/hook");
	assert_true(s->insecure && s->active && s->delete_hook_on_finish);
	assert_string_equal(s->content_type, "form");
	assert_string_equal(s->base_url, "https://g");
	assert_string_equal(s->upload_url, "https://u");
	gateway_config_unref(c);
}

static void everything_of_gitlab_and_gerrit_arrives(void **state)
{
	struct gateway_config *c = load_good(
		"gitlab", "      projectID: '1'\n"
			  "      projects: [a/b]\n"
			  "      groups: ['7']\n"
			  "      events: [PushEvents, EmojiEvents]\n"
			  "      accessToken: " SECRET(
				  "api") "\n"
					 "      secretToken: " SECRET(
						 "hook") "\n"
							 "      gitlabBaseURL: https://g\n"
							 "      enableSSLVerification: true\n"
							 "      holdfast: {signingToken: " SECRET(
								 "sign") "}\n"
									 "      deleteHookOnFinish: true # url\n");
	const struct gitlab_settings *lab = c->routes[0].settings;
	const struct gerrit_settings *gerrit;

	(void)state;
	assert_ptr_equal(c->routes[0].ops, &source_gitlab);
	assert_int_equal(c->routes[0].deadline_ms, 8000);
	assert_string_equal(lab->project_id, "1");
	assert_string_equal(lab->projects.items[0], "a/b");
	assert_string_equal(lab->groups.items[0], "7");
	assert_int_equal(lab->events.count, 2);
	assert_string_equal(lab->secret_token.path, "/argo-events/secrets/s/hook");
	assert_string_equal(lab->signing_token.path, "/argo-events/secrets/s/sign");
	assert_true(lab->enable_ssl_verification && lab->delete_hook_on_finish);
	gateway_config_unref(c);

	c = load_good("gerrit", "      hookName: h\n"
				"      projects: [a, b/c]\n"
				"      events: [patchset-created]\n"
				"      auth: {username: " SECRET("u") ", password: " SECRET(
					"p") "}\n"
					     "      gerritBaseURL: https://g\n"
					     "      deleteHookOnFinish: true\n"
					     "      sslVerify: true\n"
					     "      maxTries: 3\n");
	gerrit = c->routes[0].settings;
	assert_int_equal(c->routes[0].deadline_ms, 4000);
	assert_string_equal(gerrit->hook_name, "h");
	assert_string_equal(gerrit->projects.items[1], "b/c");
	assert_string_equal(gerrit->auth.username.key, "u");
	assert_string_equal(gerrit->auth.password.key, "p");
	assert_true(gerrit->delete_hook_on_finish && gerrit->ssl_verify);
	assert_int_equal(gerrit->max_tries, 3);
	gateway_config_unref(c);
}

static void everything_of_both_bitbuckets_arrives(void **state)
{
	struct gateway_config *c = load_good(
		"bitbucket",
		"      owner: o\n"
		"      projectKey: P\n"
		"      repositorySlug: r\n"
		"      repositories: [{owner: a, repositorySlug: b}]\n"
		"      events: ['repo:push']\n"
		"      auth: {basic: {username: " SECRET("u") ", password: " SECRET("p") "}, oauthToken: " SECRET(
			"t") "}\n"
			     "      deleteHookOnFinish: true\n"
			     "      holdfast: {webhookSecret: " SECRET(
				     "hook") ", secretOverlap: 1h, maskSecrets: false, deadline: 3s}\n");
	const struct bitbucket_settings *cloud = c->routes[0].settings;
	const struct bitbucketserver_settings *server;

	(void)state;
	assert_string_equal(cloud->repository_slug, "r");
	assert_string_equal(((const struct bitbucket_repository *)cloud->repositories.items)[0].slug, "b");
	assert_string_equal(cloud->basic.username.key, "u");
	assert_string_equal(cloud->basic.password.key, "p");
	assert_string_equal(cloud->oauth_token.key, "t");
	assert_string_equal(cloud->webhook_secret.key, "hook");
	assert_int_equal(c->routes[0].secret_overlap_ms, 3600000);
	assert_false(c->routes[0].mask_secrets);
	assert_int_equal(c->routes[0].deadline_ms, 3000);
	gateway_config_unref(c);

	c = load_good(
		"bitbucketserver",
		"      projectKey: P\n"
		"      repositorySlug: r\n"
		"      projects: [Q]\n"
		"      repositories: [{projectKey: A, repositorySlug: b}]\n"
		"      events: ['repo:refs_changed']\n"
		"      skipBranchRefsChangedOnOpenPR: true\n"
		"      oneEventPerChange: true\n"
		"      accessToken: " SECRET(
			"api") "\n"
			       "      webhookSecret: " SECRET(
				       "hook") "\n"
					       "      bitbucketserverBaseURL: https://b/rest\n"
					       "      deleteHookOnFinish: true\n"
					       "      enableSSLVerification: true\n"
					       "      tls: {caCertSecret: " SECRET("ca") ", clientCertSecret: " SECRET(
						       "crt") ", clientKeySecret: " SECRET("key") ", "
												  "insecureSkipVerify: "
												  "true, enabled: "
												  "true}\n"
												  "      "
												  "checkInterval: "
												  "1m30s # url\n");
	server = c->routes[0].settings;
	assert_string_equal(server->repository_slug, "r");
	assert_string_equal(((const struct bitbucketserver_repository *)server->repositories.items)[0].project_key,
			    "A");
	assert_true(server->skip_on_open_pr && server->one_event_per_change && server->delete_hook_on_finish);
	assert_string_equal(server->access_token.key, "api");
	assert_string_equal(server->webhook_secret.key, "hook");
	assert_string_equal(server->tls.ca.key, "ca");
	assert_string_equal(server->tls.cert.key, "crt");
	assert_string_equal(server->tls.key.key, "key");
	assert_true(server->tls.insecure && server->tls.enabled);
	assert_int_equal(server->check_interval_ms, 90000);
	gateway_config_unref(c);
}

/* Upstream's own words (its validate.go), where it has some. */
static void what_is_wrong_is_said_in_upstreams_words(void **state)
{
	static const struct {
		const char *kind, *keys, *problem;
	} rows[] = {
		{ "github", "", "either repositories or organizations is required" },
		{ "github", "      owner: o\n", "either repositories or organizations is required" },
		{ "github", "      organizations: [o]\n      repositories: [{owner: a}]\n",
		  "only one of repositories and organizations is allowed" },
		{ "github", "      organizations: [o]\n      apiToken: " SECRET("a") " # url\n",
		  "events must be defined to create a github webhook" },
		{ "github", "      organizations: [o]\n      githubApp: {privateKey: " SECRET("a") "} # url\n",
		  "events must be defined to create a github webhook" },
		{ "github", "      organizations: [o]\n      contentType: xml\n",
		  "content type must be \"json\" or \"form\"" },
		{ "github", "      organizations: [o]\n      githubUploadURL: u\n",
		  "githubBaseURL is required when githubUploadURL is set" },
		{ "github", "      organizations: [o]\n      githubBaseURL: u\n",
		  "githubUploadURL is required when githubBaseURL is set" },
		{ "gitlab", "      accessToken: " SECRET("a") "\n      gitlabBaseURL: u\n", "events can't be empty" },
		{ "gitlab", "      events: [PushEvents]\n      gitlabBaseURL: u\n", "access token can't be nil" },
		{ "gitlab", "      events: [PushEvents]\n      accessToken: " SECRET("a") "\n",
		  "gitlab base url can't be empty" },
		{ "gitlab", "      events: [X]\n      accessToken: " SECRET("a") "\n      gitlabBaseURL: u # url\n",
		  "unknown event X" },
		{ "bitbucket", "", "at least one repository is required" },
		{ "bitbucket", "      repositories: [{owner: o}]\n      auth: {oauthToken: " SECRET("a") "} # url\n",
		  "events must be defined to create a bitbucket webhooks" },
		{ "bitbucketserver", "", "bitbucket server base url can't be empty" },
		{ "bitbucketserver", "      bitbucketserverBaseURL: u\n      skipBranchRefsChangedOnOpenPR: true\n",
		  "Bitbucket is asked for pull requests with accessToken, and there is none" },
		{ "bitbucketserver",
		  "      bitbucketserverBaseURL: u\n      tls: {clientCertSecret: " SECRET("a") "}\n",
		  "a certificate needs its key" },
		{ "bitbucketserver",
		  "      bitbucketserverBaseURL: u\n      projects: [P]\n      accessToken: " SECRET("a") " # url\n",
		  "events must be defined to create a bitbucket server webhook" },
		{ "gerrit", "      projects: [p]\n      events: [e]\n      gerritBaseURL: u\n",
		  "username and password can't be empty" },
		{ "gerrit",
		  "      projects: [p]\n      events: [e]\n      gerritBaseURL: u\n      auth: {username: " SECRET(
			  "a") "}\n",
		  "username and password can't be empty" },
		{ "gerrit", "      projects: [p]\n      gerritBaseURL: u\n", "events can't be empty" },
		{ "gerrit", "      events: [e]\n      gerritBaseURL: u\n", "projects cannot be empty" },
		{ "gerrit", "      projects: [p]\n      events: [e]\n", "gerrit base url can't be empty" },
		{ "github", "      organizations: [o]\n      webhookSecrets: " SECRET("a") "\n",
		  "unknown key (did you mean `webhookSecret`?)" },
		{ "github", "      organizations: [o]\n      holdfast: {webhookSecret: " SECRET("a") "}\n",
		  "holdfast.webhookSecret: unknown key" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct problems problems = { 0 };
		struct gateway_config *config;
		struct buf text = { 0 };

		assert_int_equal(load(rows[i].kind, rows[i].keys, &problems, &config), E_CONFIG);
		problems_write(&problems, &text);
		if (!strstr(buf_cstr(&text), rows[i].problem))
			print_error("row %zu: %s", i, buf_cstr(&text));
		assert_non_null(strstr(buf_cstr(&text), rows[i].problem));
		buf_release(&text);
		problems_release(&problems);
	}
}

static void without_memory_there_is_no_snapshot_or_a_whole_one(void **state)
{
	(void)state;
	for (long n = 1;; n++) {
		struct problems problems = { 0 };
		struct gateway_config *config = NULL;
		enum err err;
		long count;

		mem_fail_at(n);
		err = load("bitbucket",
			   "      repositories: [{owner: a, repositorySlug: b}, {owner: c, repositorySlug: d}]\n"
			   "      auth: {basic: {username: " SECRET("u") ", password: " SECRET(
				   "p") "}}\n"
					"      holdfast: {webhookSecret: " SECRET("hook") "}\n",
			   &problems, &config);
		count = mem_count();
		mem_fail_at(0);
		assert_int_equal(err == E_OK, config != NULL);
		gateway_config_unref(config);
		problems_release(&problems);
		if (count < n) {
			assert_int_equal(err, E_OK);
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_of_github_arrives),
		cmocka_unit_test(everything_of_gitlab_and_gerrit_arrives),
		cmocka_unit_test(everything_of_both_bitbuckets_arrives),
		cmocka_unit_test(what_is_wrong_is_said_in_upstreams_words),
		cmocka_unit_test(without_memory_there_is_no_snapshot_or_a_whole_one),
	};

	return cmocka_run_group_tests(tests, manifest_begin, manifest_end);
}
