/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/kubernetes_config.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define PEM                "LS0tLS1CRUdJTiBY" /* "-----BEGIN X" */

#define HEAD               "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
#define CONTEXT(name, map) "contexts:\n- name: " name "\n  context: {" map "}\n"
#define CLUSTER(name, map) "clusters:\n- name: " name "\n  cluster: {" map "}\n"
#define USER(name, map)    "users:\n- name: " name "\n  user: {" map "}\n"
#define IN_C               CONTEXT("c", "cluster: k, user: u")
#define AT_K               CLUSTER("k", "server: https://h:1")

static char directory[] = "/tmp/hf-kubernetes-config-XXXXXX";

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_fd(fd, str_of(text)), 0);
	(void)close(fd);
}

static void add_part(struct buf *to, const char *key, struct str value)
{
	if (value.n)
		buf_addf(to, " %s=%.*s", key, STR_ARG(value));
}

/* All of it in a line. */
static const char *told(const struct kubernetes_config *c, struct buf *to)
{
	buf_clear(to);
	buf_addf(to, "%s", c->server);
	add_part(to, "called", str_of(c->tls_server_name));
	add_part(to, "proxy", str_of(c->proxy));
	add_part(to, "insecure", str_of(c->insecure ? "yes" : NULL));
	add_part(to, "ca_file", str_of(c->ca_file));
	add_part(to, "ca", buf_view(&c->ca));
	add_part(to, "cert_file", str_of(c->cert_file));
	add_part(to, "cert", buf_view(&c->cert));
	add_part(to, "key_file", str_of(c->key_file));
	add_part(to, "key", buf_view(&c->key));
	add_part(to, "token_file", str_of(c->token_file));
	add_part(to, "token", buf_view(&c->token));
	add_part(to, "namespace", str_of(c->namespace));
	add_part(to, "of", str_of(c->origin));
	return buf_cstr(to);
}

/* `want`: what is told of it, or the whole error. */
static void load_is(const char *path, const char *context, const char *want)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	struct kubernetes_config *c = NULL;
	struct why why = { 0 };
	enum err err = kubernetes_config_load(path, context, &why, &c);

	if (err == E_OK) {
		assert_string_equal(told(c, &text), want);
	} else {
		assert_null(c);
		assert_string_equal(why.text, want);
		assert_int_equal(err, E_CONFIG);
		assert_int_equal(why.err, E_CONFIG);
	}
	kubernetes_config_free(c);
}

static void file_is(const char *text, const char *want)
{
	put("k", text);
	load_is("k", NULL, want);
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static void a_context_names_a_cluster_and_a_user(void **state)
{
	(void)state;
	file_is(HEAD IN_C AT_K USER("u", "token: t"), "https://h:1 token=t namespace=default of=k, context c");
	file_is(HEAD CONTEXT("c", "cluster: k, user: u, namespace: argo") AT_K "users: [{name: u, user: null}]\n",
		"https://h:1 namespace=argo of=k, context c");
	file_is(HEAD CONTEXT("c", "cluster: k") AT_K "users: null\n", "https://h:1 namespace=default of=k, context c");
	load_is("k", "c", "https://h:1 namespace=default of=k, context c");
	load_is("k", "", "https://h:1 namespace=default of=k, context c");
	load_is("k", "d", "k: there is no context d: its contexts are (c)");
}

static void what_a_cluster_says_is_taken_or_refused(void **state)
{
	static const struct {
		const char *cluster, *want;
	} rows[] = {
		{ "server: 'https://h:6443/k8s/clusters/c-1//'", "https://h:6443/k8s/clusters/c-1" },
		{ "server: 'https://[2001:db8::1]:6443'", "https://[2001:db8::1]:6443" },
		{ "server: 'http://h'", "http://h" },
		{ "server: https://h, tls-server-name: kubernetes", "https://h called=kubernetes" },
		{ "server: https://h, proxy-url: 'http://p:3128'", "https://h proxy=http://p:3128" },
		{ "server: https://h, proxy-url: 'socks5://p'", "https://h proxy=socks5://p" },
		{ "server: https://h, insecure-skip-tls-verify: true", "https://h insecure=yes" },
		{ "server: https://h, insecure-skip-tls-verify: false", "https://h" },
		{ "server: https://h, certificate-authority: ca.crt", "https://h ca_file=ca.crt" },
		{ "server: https://h, certificate-authority-data: " PEM, "https://h ca=-----BEGIN X" },
		{ "server: https://h, certificate-authority-data: \"" PEM "\\n\"", "https://h ca=-----BEGIN X" },
		{ "server: https://h, certificate-authority: '', certificate-authority-data: null", "https://h" },
		{ "server: https://h, disable-compression: true, extensions: []", "https://h" },
		{ "", "!it has no server: say where it is, as in https://HOST:PORT" },
		{ "server: ''", "!it has no server: say where it is, as in https://HOST:PORT" },
		{ "server: 'h:6443'", "!server is not of the form https://HOST:PORT" },
		{ "server: 'https://'", "!server is not of the form https://HOST:PORT" },
		{ "server: 'https:///x'", "!server is not of the form https://HOST:PORT" },
		{ "server: 'https://:443'", "!server is not of the form https://HOST:PORT" },
		{ "server: 'ftp://h'", "!server is not of the form https://HOST:PORT" },
		{ "server: 'https://u:p@h'", "!server has more than a host, a port and a path" },
		{ "server: 'https://h?x'", "!server has more than a host, a port and a path" },
		{ "server: 'https://h#x'", "!server has more than a host, a port and a path" },
		{ "server: 'https://h h'", "!server has more than a host, a port and a path" },
		{ "server: 3", "!server is no text: put it in quotes" },
		{ "server: \"https://h\\0\"", "!server has a NUL character" },
		{ "server: https://h, proxy-url: 'ftp://p'",
		  "!proxy-url is none of http://HOST:PORT, https://HOST:PORT and socks5://HOST:PORT" },
		{ "server: https://h, insecure-skip-tls-verify: 'true'",
		  "!insecure-skip-tls-verify is neither true nor false" },
		{ "server: https://h, insecure-skip-tls-verify: true, certificate-authority: ca.crt",
		  "!insecure-skip-tls-verify would not look at certificate-authority: drop one" },
		{ "server: https://h, certificate-authority: ca.crt, certificate-authority-data: " PEM,
		  "!certificate-authority-data and the file are both given: drop one" },
		{ "server: https://h, certificate-authority-data: '%'", "!certificate-authority-data is not base64" },
		{ "server: https://h, certificate-authority-data: YWJj",
		  "!certificate-authority-data is base64 of something else than PEM" },
	};

	(void)state;
	put("ca.crt", "x");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool bad = rows[i].want[0] == '!';
		char text[1000];
		char want[500];

		(void)snprintf(text, sizeof(text),
			       HEAD CONTEXT("c", "cluster: k") "clusters: [{name: k, cluster: {%s}}]\n",
			       rows[i].cluster);
		(void)snprintf(want, sizeof(want),
			       bad ? "k: the cluster k: %s" : "%s namespace=default of=k, context c",
			       rows[i].want + bad);
		file_is(text, want);
	}
}

static void what_a_user_says_is_taken_or_refused(void **state)
{
#define INSTEAD     "give the token of a service account (token or tokenFile) or a client certificate"
#define IMPERSONATE "(impersonation) is not served: give that user's own credentials"
	static const struct {
		const char *user, *want;
	} rows[] = {
		{ "", "" },
		{ "token: t", " token=t" },
		{ "tokenFile: tok", " token_file=tok" },
		{ "token: t, tokenFile: tok", " token_file=tok" },
		{ "client-certificate: crt, client-key: key", " cert_file=crt key_file=key" },
		{ "client-certificate-data: " PEM ", client-key-data: " PEM, " cert=-----BEGIN X key=-----BEGIN X" },
		{ "client-certificate: crt, client-key-data: " PEM, " cert_file=crt key=-----BEGIN X" },
		{ "client-certificate: crt, client-key: key, token: t", " cert_file=crt key_file=key token=t" },
		{ "username: '', password: '', exec: null, auth-provider: {}, as-groups: []", "" },
		{ "exec: {command: aws}", "!exec (a program that logs in) is not served: " INSTEAD },
		{ "auth-provider: {name: gcp}", "!auth-provider is not served: " INSTEAD },
		{ "username: n, password: secret",
		  "!username and password are not served, by API servers neither: " INSTEAD },
		{ "password: secret", "!password and username are not served, by API servers neither: " INSTEAD },
		{ "as: root, token: secret", "!as " IMPERSONATE },
		{ "as-uid: root, token: secret", "!as-uid " IMPERSONATE },
		{ "as-groups: [a], token: secret", "!as-groups " IMPERSONATE },
		{ "as-user-extra: {a: [b]}, token: secret", "!as-user-extra " IMPERSONATE },
		{ "token: 'sec ret'", "!token has spaces, or characters that no token has" },
		{ "token: \"secret\\r\\nX: y\"", "!token has spaces, or characters that no token has" },
		{ "token: 3", "!token is no text: put it in quotes" },
		{ "client-key: key, client-key-data: " PEM, "!client-key-data and the file are both given: drop one" },
		{ "client-certificate: crt, client-certificate-data: " PEM,
		  "!client-certificate-data and the file are both given: drop one" },
		{ "client-key-data: secret!", "!client-key-data is not base64" },
		{ "client-certificate: crt", "!client-certificate and client-key belong together: one is missing" },
		{ "client-key: key", "!client-certificate and client-key belong together: one is missing" },
	};

	(void)state;
	put("tok", "t\n");
	put("crt", "x");
	put("key", "x");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool bad = rows[i].want[0] == '!';
		char text[1000];
		char want[500];

		(void)snprintf(text, sizeof(text), HEAD IN_C AT_K "users: [{name: u, user: {%s}}]\n", rows[i].user);
		(void)snprintf(want, sizeof(want),
			       bad ? "k: the user u: %s" : "https://h:1%s namespace=default of=k, context c",
			       rows[i].want + bad);
		file_is(text, want);
	}
}

static void what_is_no_kubeconfig_is_refused_with_the_place(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "k: empty" },
		{ "just text\n", "k: this is no kubeconfig (kind: Config)" },
		{ "kind: Secret\n", "k: this is no kubeconfig (kind: Config)" },
		{ "kind: Config\nkind: Config\n", "k: line 2: the key \"kind\" stands twice" },
		{ "kind: Config\ncontexts: &a []\n",
		  "k: line 2: anchors and aliases (& and *) are not allowed: write the value out" },
		{ "contexts: {}\n", "k: contexts is no list" },
		{ "contexts: [{name: a}, {}]\n", "k: contexts: number 2 has no name, or one that is no text" },
		{ "clusters: [{name: 3}]\n", "k: clusters: number 1 has no name, or one that is no text" },
		{ "users: [x]\n", "k: users: number 1 has no name, or one that is no text" },
		{ "kind: Config\n", "k: no current-context: name one of its contexts (none) with --kubecontext" },
		{ "current-context: ''\ncontexts: [{name: a}, {name: b}]\n",
		  "k: no current-context: name one of its contexts (a, b) with --kubecontext" },
		{ HEAD "contexts: [{name: a}, {name: b}]\n", "k: there is no context c: its contexts are (a, b)" },
		{ HEAD "contexts: [{name: c}]\n", "k: the context c: it names no cluster" },
		{ HEAD "contexts: [{name: c, context: x}]\n", "k: the context c: it is no map" },
		{ HEAD "contexts: [{name: c}, {name: c}]\n", "k: the context c: it stands twice: drop one" },
		{ HEAD CONTEXT("c", "cluster: k, namespace: A") AT_K,
		  "k: the context c: namespace is no name that Kubernetes would take" },
		{ HEAD IN_C, "k: there is no cluster k: its clusters are (none)" },
		{ HEAD IN_C AT_K USER("v", "token: secret"), "k: there is no user u: its users are (v)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		file_is(rows[i].text, rows[i].want);
	load_is("gone", NULL, "read gone: No such file or directory");
	load_is(".", NULL, "read .: Is a directory");
}

static void a_token_leaves_the_machine_only_encrypted(void **state)
{
	static const struct {
		const char *server;
		bool taken;
	} rows[] = {
		{ "http://localhost:8001", true },
		{ "http://127.0.0.1:8001/x", true },
		{ "http://127.1.2.3", true },
		{ "http://[::1]:8001", true },
		{ "https://api.example.org", true },
		{ "http://api.example.org", false },
		{ "http://127.0.0.1.example.org", false },
		{ "http://10.0.0.1:8001", false },
		{ "http://[2001:db8::1]", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[500];
		char want[300];

		(void)snprintf(text, sizeof(text),
			       HEAD IN_C USER("u", "token: t") "clusters: [{name: k, cluster: {server: '%s'}}]\n",
			       rows[i].server);
		(void)snprintf(want, sizeof(want), "%s token=t namespace=default of=k, context c", rows[i].server);
		file_is(text, rows[i].taken ? want
					    : "k: the cluster k: server is http://, where everybody on the way could "
					      "read the token: make it https://");
	}
}

/* ---- files that it names ----------------------------------------------------------------------------------------- */

static void a_path_is_relative_to_the_file_that_names_it(void **state)
{
	char text[400];
	char want[300];

	(void)state;
	assert_int_equal(mkdir("sub", 0700), 0);
	put("sub/tok", "t");
	put("sub/k", HEAD IN_C AT_K USER("u", "tokenFile: tok"));
	load_is("sub/k", NULL, "https://h:1 token_file=sub/tok namespace=default of=sub/k, context c");
	(void)snprintf(text, sizeof(text), HEAD IN_C AT_K USER("u", "tokenFile: '%s/sub/tok'"), directory);
	(void)snprintf(want, sizeof(want), "https://h:1 token_file=%s/sub/tok namespace=default of=k, context c",
		       directory);
	file_is(text, want);
}

static void a_file_that_cannot_be_read_is_told_at_the_start(void **state)
{
	(void)state;
	file_is(HEAD IN_C AT_K USER("u", "tokenFile: gone"), "k, context c: read gone: No such file or directory");
	file_is(HEAD IN_C CLUSTER("k", "server: https://h, certificate-authority: gone") USER("u", ""),
		"k, context c: read gone: No such file or directory");
	put("crt", "x");
	file_is(HEAD IN_C AT_K USER("u", "client-certificate: crt, client-key: gone"),
		"k, context c: read gone: No such file or directory");
	file_is(HEAD IN_C AT_K USER("u", "client-certificate: gone, client-key: crt"),
		"k, context c: read gone: No such file or directory");
	put("tok", "two words\n");
	file_is(HEAD IN_C AT_K USER("u", "tokenFile: tok"), "k, context c: read tok: it holds no token");
	put("tok", " \n");
	load_is("k", NULL, "k, context c: read tok: it holds no token");
}

static void token_is(const struct kubernetes_config *c, const char *want)
{
	CLEANUP(buf_wipe) struct buf token = { 0 };

	assert_int_equal(kubernetes_config_token(c, NULL, &token), E_OK);
	assert_string_equal(buf_cstr(&token), want);
}

static void a_token_is_the_one_of_now(void **state)
{
	CLEANUP(buf_wipe) struct buf token = { 0 };
	struct kubernetes_config *c = NULL;
	struct why why = { 0 };

	(void)state;
	put("tok", " first\r\n");
	put("k", HEAD IN_C AT_K USER("u", "tokenFile: tok"));
	assert_int_equal(kubernetes_config_load("k", NULL, &why, &c), E_OK);
	token_is(c, "first");
	put("tok", "second");
	token_is(c, "second");
	assert_int_equal(unlink("tok"), 0);
	assert_int_equal(kubernetes_config_token(c, &why, &token), E_NOT_FOUND);
	assert_int_equal(token.n, 0);
	kubernetes_config_free(c);
}

/* ---- several files ----------------------------------------------------------------------------------------------- */

static void the_first_of_several_files_counts(void **state)
{
	(void)state;
	put("a", "kind: Config\n" CONTEXT("c", "cluster: k, user: u") USER("u", "token: of-a"));
	put("b", HEAD CONTEXT("c", "cluster: other") CLUSTER("k", "server: https://b")
			 USER("u", "token: of-b, tokenFile: gone"));
	put("c", "current-context: d\n" CONTEXT("d", "cluster: k") CLUSTER("k", "server: https://c"));
	setenv("KUBECONFIG", "a:b::c:gone", 1);
	load_is(NULL, NULL, "https://b token=of-a namespace=default of=a, context c");
	load_is(NULL, "d", "https://b namespace=default of=c, context d");
	load_is(NULL, "e", "a: there is no context e: its contexts are (c, c, d)");
	load_is("c", NULL, "https://c namespace=default of=c, context d");
	setenv("KUBECONFIG", "gone:also/gone", 1);
	load_is(NULL, NULL, "$KUBECONFIG: no file there: gone:also/gone");
	put("a", "[\n");
	setenv("KUBECONFIG", "a:c", 1);
	load_is(NULL, NULL, "a: line 2: did not find expected node content while parsing a flow node");
}

/* ---- where it is looked for -------------------------------------------------------------------------------------- */

static void set_pod(const char *host, const char *port)
{
	setenv("KUBERNETES_SERVICE_HOST", host, 1);
	setenv("KUBERNETES_SERVICE_PORT", port, 1);
}

static void a_file_comes_before_the_pod_and_the_pod_before_the_home(void **state)
{
	char want[300];

	(void)state;
	setenv("HOME", directory, 1);
	(void)snprintf(want, sizeof(want),
		       "no API server is known: give --kubeconfig FILE or set $KUBECONFIG (there is no "
		       "%s/.kube/config, and this is no pod)",
		       directory);
	load_is(NULL, NULL, want);
	assert_int_equal(mkdir(".kube", 0700), 0);
	put(".kube/config", HEAD CONTEXT("c", "cluster: k") CLUSTER("k", "server: https://home"));
	(void)snprintf(want, sizeof(want), "https://home namespace=default of=%s/.kube/config, context c", directory);
	load_is(NULL, NULL, want);
	set_pod("10.0.0.1", "443");
	load_is("", NULL,
		"this pod has no token in /var/run/secrets/kubernetes.io/serviceaccount: see its "
		"automountServiceAccountToken, or give --kubeconfig FILE");
	load_is(NULL, "c", want);
	put("k", HEAD CONTEXT("c", "cluster: k") AT_K);
	load_is("k", NULL, "https://h:1 namespace=default of=k, context c");
	setenv("KUBECONFIG", "k", 1);
	load_is(NULL, NULL, "https://h:1 namespace=default of=k, context c");
}

static void pod_is(const char *want)
{
	CLEANUP(buf_release) struct buf text = { 0 };
	struct kubernetes_config *c = NULL;
	struct why why = { 0 };
	enum err err = kubernetes_config_pod("pod", &why, &c);

	assert_true(err == E_OK || err == E_CONFIG);
	assert_string_equal(err == E_OK ? told(c, &text) : why.text, want);
	kubernetes_config_free(c);
}

static void a_pod_is_its_service_account(void **state)
{
	(void)state;
	assert_int_equal(mkdir("pod", 0700), 0);
	set_pod("10.0.0.1", "443");
	pod_is("this pod has no token in pod: see its automountServiceAccountToken, or give --kubeconfig FILE");
	put("pod/token", "t");
	pod_is("the pod's service account: read pod/ca.crt: No such file or directory");
	put("pod/ca.crt", "x");
	pod_is("https://10.0.0.1:443 ca_file=pod/ca.crt token_file=pod/token namespace=default of=the pod's service "
	       "account");
	put("pod/namespace", "argocd\n");
	set_pod("fd00::1", "6443");
	pod_is("https://[fd00::1]:6443 ca_file=pod/ca.crt token_file=pod/token namespace=argocd of=the pod's service "
	       "account");
	put("pod/namespace", "A B");
	pod_is("read pod/namespace: it holds no name of a namespace");
	set_pod("a/b", "443");
	pod_is("$KUBERNETES_SERVICE_HOST is not the API server's address");
	set_pod("h", "0");
	pod_is("$KUBERNETES_SERVICE_PORT is not the API server's port");
	set_pod("h", "65536");
	pod_is("$KUBERNETES_SERVICE_PORT is not the API server's port");
}

/* ---- secrets ----------------------------------------------------------------------------------------------------- */

/* What is logged while a file is loaded. */
static void warned_is(const char *text, mode_t mode, const char *part)
{
	CLEANUP(buf_release) struct buf log = { 0 };
	struct kubernetes_config *c = NULL;
	int fd = open("log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	log_setup(fd, LOG_INFO, LOG_FORMAT_JSON);
	put("k", text);
	assert_int_equal(chmod("k", mode), 0);
	assert_int_equal(kubernetes_config_load("k", NULL, NULL, &c), E_OK);
	kubernetes_config_free(c);
	log_setup(STDERR_FILENO, LOG_INFO, LOG_FORMAT_AUTO);
	assert_int_equal(file_read("log", 4096, &log, NULL), E_OK);
	(void)close(fd);
	if (part)
		assert_true(str_contains(buf_view(&log), str_of(part)));
	else
		assert_int_equal(log.n, 0);
}

static void who_leaves_credentials_open_is_warned(void **state)
{
	static const char readable[] = "everybody on this machine can read the credentials";

	(void)state;
	put("crt", "x");
	warned_is(HEAD IN_C AT_K USER("u", "token: t"), 0644, readable);
	warned_is(HEAD IN_C AT_K USER("u", "client-certificate: crt, client-key-data: " PEM), 0604, readable);
	warned_is(HEAD IN_C AT_K USER("u", "token: t"), 0640, NULL);
	warned_is(HEAD IN_C AT_K USER("u", "client-certificate: crt, client-key: crt"), 0644, NULL);
	warned_is(HEAD IN_C CLUSTER("k", "server: https://h, insecure-skip-tls-verify: true") USER("u", ""), 0600,
		  "whoever answers is taken for the API server");
}

static void each_allocation_may_fail(void **state)
{
	enum err err = E_NOMEM;
	long n = 0;

	(void)state;
	put("tok", "t");
	put("k", HEAD CONTEXT("c", "cluster: k, user: u") USER("u", "tokenFile: tok, client-certificate-data: " PEM
								    ", client-key-data: " PEM)
			 CLUSTER("k", "server: https://h, proxy-url: 'http://p', certificate-authority-data: " PEM));
	while (err != E_OK) {
		struct kubernetes_config *c = NULL;
		struct why why = { 0 };

		mem_fail_at(++n);
		err = kubernetes_config_load("k", NULL, &why, &c);
		mem_fail_at(0);
		if (err != E_OK && err != E_NOMEM)
			fail_msg("allocation %ld: %s", n, why.text);
		kubernetes_config_free(c);
	}
	assert_true(n > 20);
}

/* ---- the scene --------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *place)
{
	(void)st;
	(void)type;
	(void)place;
	return remove(path);
}

static int set_up(void **state)
{
	(void)state;
	(void)memcpy(strstr(directory, "config-") + 7, "XXXXXX", 6);
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	return mkdtemp(directory) && chdir(directory) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return chdir("/") == 0 ? nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(a_context_names_a_cluster_and_a_user),
		ONE(what_a_cluster_says_is_taken_or_refused),
		ONE(what_a_user_says_is_taken_or_refused),
		ONE(what_is_no_kubeconfig_is_refused_with_the_place),
		ONE(a_token_leaves_the_machine_only_encrypted),
		ONE(a_path_is_relative_to_the_file_that_names_it),
		ONE(a_file_that_cannot_be_read_is_told_at_the_start),
		ONE(a_token_is_the_one_of_now),
		ONE(the_first_of_several_files_counts),
		ONE(a_file_comes_before_the_pod_and_the_pod_before_the_home),
		ONE(a_pod_is_its_service_account),
		ONE(who_leaves_credentials_open_is_warned),
		ONE(each_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
