#include "auth/identity.h"
#include "auth/regex.h"
#include "cli/commands.h"
#include "cli/sync_args.h"
#include "principal/principal.h"

#define E             "ARGOCD_PRINCIPAL_"
#define AT(name)      offsetof(struct principal_args, name)
#define IGNORED       AT(sync.ignored)
#define NO_REDIS      .note = "there is no Redis proxy"
#define NO_PROXY      .note = "there is no resource proxy"
#define NO_HA         .note = "there is no second principal"
#define TLS_FILES     "--tls-cert and --tls-key"
#define CA_FILE       "--root-ca-path"
#define JWT_FILE      "--jwt-key"

#define BLOCKLIST_MAP "argocd-agent-tls-blocklist" /* upstream's (facts 2.3) */

struct principal_args {
	struct sync_args sync;
	const char *listen_host;
	uint64_t listen_port;
	const char *tls_cert, *tls_key, *root_ca;
	const char *tls_secret, *ca_secret, *jwt_secret;
	bool require_client_certs, subject_match;
	const char *jwt_key;
	bool jwt_generate;
	const char *auth;
	const char *blocklist;
	struct option_list accept_version;
	const char *namespace_pattern;
	struct option_list namespace_labels;
	uint64_t all_peers_bytes;
};

/* clang-format off */
static const struct option_row options[] = {
	{ "listen-host", 0, OPTION_TEXT, AT(listen_host), "ADDRESS", E "LISTEN_HOST",
	  "Address to listen on. Default: all addresses." },
	{ "listen-port", 0, OPTION_NUMBER, AT(listen_port), "PORT", E "LISTEN_PORT",
	  "Port to listen on.", .fallback = "8443", .min = 1, .max = 65535 },
	{ "auth", 0, OPTION_TEXT, AT(auth), "METHOD", E "AUTH",
	  "How agents authenticate: userpass:FILE (made by 'holdfast pki user'), mtls:subject:REGEX, mtls:uri:REGEX or "
	  "header:NAME:REGEX. Group 1 of the expression is the agent's name. Required." },
	{ "tls-cert", 0, OPTION_TEXT, AT(tls_cert), "FILE", E "TLS_SERVER_CERT_PATH", "Certificate of the principal with its chain (PEM)." },
	{ "tls-key", 0, OPTION_TEXT, AT(tls_key), "FILE", E "TLS_SERVER_KEY_PATH", "Its private key (PEM)." },
	{ "root-ca-path", 0, OPTION_TEXT, AT(root_ca), "FILE", E "TLS_SERVER_ROOT_CA_PATH",
	  "Certificate authorities of the agents' certificates (PEM)." },
	{ "tls-secret-name", 0, OPTION_TEXT, AT(tls_secret), "NAME", E "TLS_SECRET_NAME",
	  "With --backend kubernetes, without --tls-cert and --tls-key: the Secret in --namespace that has them, as tls.crt and tls.key. "
	  "Default: " SYNC_SECRET_PRINCIPAL "." },
	{ "tls-ca-secret-name", 0, OPTION_TEXT, AT(ca_secret), "NAME", E "TLS_SERVER_ROOT_CA_SECRET_NAME",
	  "The same for --root-ca-path: tls.crt, ca.crt or both. Default: " SYNC_SECRET_CA "." },
	{ "require-client-certs", 0, OPTION_BOOL, AT(require_client_certs), NULL, E "TLS_CLIENT_CERT_REQUIRE",
	  "Refuse connections without a client certificate. --auth mtls implies it." },
	{ "client-cert-subject-match", 0, OPTION_BOOL, AT(subject_match), NULL, E "TLS_CLIENT_CERT_MATCH_SUBJECT",
	  "The certificate's common name must be the agent's name, whatever --auth says." },
	{ "tls-min-version", 0, OPTION_TEXT, AT(sync.tls_min), "tls1.2|tls1.3", E "TLS_MIN_VERSION",
	  "Lowest TLS version.", .fallback = "tls1.3" },
	{ "tls-blocklist", 0, OPTION_TEXT, AT(blocklist), "FILE", "HOLDFAST_TLS_BLOCKLIST",
	  "SHA-256 fingerprints of certificates to refuse, one on each line. Read again on SIGHUP. Default, with --backend kubernetes "
	  "and --auth mtls: the keys of the ConfigMap " BLOCKLIST_MAP " in --namespace, if there is one." },
	{ "jwt-key", 0, OPTION_TEXT, AT(jwt_key), "FILE", E "JWT_KEY_PATH",
	  "RSA key that signs the agents' tokens (PEM); 'holdfast pki init' makes one." },
	{ "jwt-secret-name", 0, OPTION_TEXT, AT(jwt_secret), "NAME", E "JWT_SECRET_NAME",
	  "With --backend kubernetes, without --jwt-key: the Secret in --namespace that has it, as jwt.key. Default: " SYNC_SECRET_JWT "." },
	{ "insecure-jwt-generate", 0, OPTION_BOOL, AT(jwt_generate), NULL, E "JWT_ALLOW_GENERATE",
	  "Make a new key at each start instead: then all agents must log in again." },
	{ "accept-version", 0, OPTION_COMMAS, AT(accept_version), "PATTERNS", "HOLDFAST_ACCEPT_VERSION",
	  "Versions of agents to accept: globs, or regular expressions in slashes, separated by commas. Default: exactly "
	  "--version-string." },
	{ "namespace-create-enable", 0, OPTION_BOOL, AT(sync.create_namespaces), NULL, E "NAMESPACE_CREATE_ENABLE",
	  "With --backend kubernetes: make the namespace of an application that is missing. Directories always are." },
	{ "namespace-create-pattern", 0, OPTION_TEXT, AT(namespace_pattern), "REGEX", E "NAMESPACE_CREATE_PATTERN",
	  "With --namespace-create-enable: only those that this regular expression matches somewhere. Default: all." },
	{ "namespace-create-labels", 0, OPTION_COMMAS, AT(namespace_labels), "KEY=VALUE", E "NAMESPACE_CREATE_LABELS",
	  "With --namespace-create-enable: labels of these namespaces, separated by commas." },
	SYNC_ROWS(struct principal_args, E, "64"), /* for each agent: none of them has to wait behind much of another */
	{ "all-peers-bytes", 0, OPTION_SIZE, AT(all_peers_bytes), "BYTES", "HOLDFAST_ALL_PEERS_BYTES",
	  "--peer-bytes of all agents together. 0: a third of the container's memory limit, where there is one; else no limit.",
	  .fallback = "0", .max = 1LL << 44 },
	{ "metrics-port", 0, OPTION_NUMBER, AT(sync.metrics_port), "PORT", E "METRICS_PORT",
	  "/metrics for Prometheus; 'holdfast status' asks there. 0: none.", SYNC_PORT("8000") },
	{ "healthz-port", 0, OPTION_NUMBER, AT(sync.healthz_port), "PORT", E "HEALTH_CHECK_PORT",
	  "/livez, /readyz and /healthz for probes. 0: none.", SYNC_PORT("8003") },

	SYNC_IGNORED_ROWS(struct principal_args, E),
	{ "insecure-tls-generate", 0, OPTION_REFUSED, IGNORED, NULL, E "TLS_SERVER_ALLOW_GENERATE", NULL,
	  .note = "nobody could check such a certificate: 'holdfast pki init' and 'holdfast pki issue' make good ones" },
	{ "keepalive-min-interval", 0, OPTION_IGNORED, IGNORED, "TIME", E "KEEP_ALIVE_MIN_INTERVAL", NULL,
	  .note = "agents may ping as often as they like" },
	{ "event-processors", 0, OPTION_IGNORED, IGNORED, "N", E "EVENT_PROCESSORS", NULL,
	  .note = "see --inbox-parallel" },
	{ "enable-resource-proxy", 0, OPTION_IGNORED, IGNORED, NULL, E "ENABLE_RESOURCE_PROXY", NULL, NO_PROXY },
	{ "resource-proxy-address", 0, OPTION_IGNORED, IGNORED, "ADDRESS", E "RESOURCE_PROXY_ADDRESS", NULL, NO_PROXY },
	{ "resource-proxy-secret-name", 0, OPTION_IGNORED, IGNORED, "NAME", E "RESOURCE_PROXY_SECRET_NAME", NULL, NO_PROXY },
	{ "resource-proxy-cert-path", 0, OPTION_IGNORED, IGNORED, "FILE", E "RESOURCE_PROXY_TLS_CERT_PATH", NULL, NO_PROXY },
	{ "resource-proxy-key-path", 0, OPTION_IGNORED, IGNORED, "FILE", E "RESOURCE_PROXY_TLS_KEY_PATH", NULL, NO_PROXY },
	{ "resource-proxy-ca-secret-name", 0, OPTION_IGNORED, IGNORED, "NAME", E "RESOURCE_PROXY_CA_SECRET_NAME", NULL, NO_PROXY },
	{ "resource-proxy-ca-path", 0, OPTION_IGNORED, IGNORED, "FILE", E "RESOURCE_PROXY_TLS_CA_PATH", NULL, NO_PROXY },
	{ "redis-server-address", 0, OPTION_IGNORED, IGNORED, "ADDRESS", E "REDIS_SERVER_ADDRESS", NULL, NO_REDIS },
	{ "redis-password", 0, OPTION_IGNORED, IGNORED, "PASSWORD", "REDIS_PASSWORD", NULL, NO_REDIS },
	{ "redis-creds-dir-path", 0, OPTION_IGNORED, IGNORED, "DIR", "REDIS_CREDS_DIR_PATH", NULL, NO_REDIS },
	{ "disable-redis-proxy", 0, OPTION_IGNORED, IGNORED, NULL, E "DISABLE_REDIS_PROXY", NULL, NO_REDIS },
	{ "redis-compression-type", 0, OPTION_IGNORED, IGNORED, "TYPE", E "REDIS_COMPRESSION_TYPE", NULL, NO_REDIS },
	{ "redis-tls-enabled", 0, OPTION_IGNORED, IGNORED, NULL, E "REDIS_TLS_ENABLED", NULL, NO_REDIS },
	{ "redis-proxy-server-tls-cert", 0, OPTION_IGNORED, IGNORED, "FILE", E "REDIS_PROXY_SERVER_TLS_CERT_PATH", NULL, NO_REDIS },
	{ "redis-proxy-server-tls-key", 0, OPTION_IGNORED, IGNORED, "FILE", E "REDIS_PROXY_SERVER_TLS_KEY_PATH", NULL, NO_REDIS },
	{ "redis-proxy-server-tls-secret-name", 0, OPTION_IGNORED, IGNORED, "NAME", E "REDIS_PROXY_SERVER_TLS_SECRET_NAME", NULL, NO_REDIS },
	{ "redis-ca-path", 0, OPTION_IGNORED, IGNORED, "FILE", E "REDIS_CA_PATH", NULL, NO_REDIS },
	{ "redis-ca-secret-name", 0, OPTION_IGNORED, IGNORED, "NAME", E "REDIS_CA_SECRET_NAME", NULL, NO_REDIS },
	{ "redis-tls-insecure", 0, OPTION_IGNORED, IGNORED, NULL, E "REDIS_TLS_INSECURE", NULL, NO_REDIS },
	{ "enable-self-cluster-registration", 0, OPTION_IGNORED, IGNORED, NULL, E "ENABLE_SELF_CLUSTER_REGISTRATION", NULL,
	  .note = "there are no cluster secrets to write: an agent is known once it has logged in" },
	{ "self-registration-client-cert-secret", 0, OPTION_IGNORED, IGNORED, "NAME", E "SELF_REGISTRATION_CLIENT_CERT_SECRET", NULL,
	  .note = "there are no cluster secrets to write" },
	{ "ha-enabled", 0, OPTION_REFUSED, IGNORED, NULL, E "HA_ENABLED", NULL,
	  .note =
	  "there is no second principal: the ledger in --data-dir survives restarts, and agents keep what is not "
	  "confirmed" },
	{ "ha-preferred-role", 0, OPTION_IGNORED, IGNORED, "ROLE", E "HA_PREFERRED_ROLE", NULL, NO_HA },
	{ "ha-peer-address", 0, OPTION_IGNORED, IGNORED, "ADDRESS", E "HA_PEER_ADDRESS", NULL, NO_HA },
	{ "ha-failover-timeout", 0, OPTION_IGNORED, IGNORED, "TIME", E "HA_FAILOVER_TIMEOUT", NULL, NO_HA },
	{ "ha-admin-port", 0, OPTION_IGNORED, IGNORED, "PORT", E "HA_ADMIN_PORT", NULL, NO_HA },
	{ "ha-allowed-replication-clients", 0, OPTION_IGNORED, IGNORED, "NAMES", E "HA_ALLOWED_REPLICATION_CLIENTS", NULL, NO_HA },
	{ "ha-replication-initial-ack-timeout", 0, OPTION_IGNORED, IGNORED, "TIME", E "HA_REPLICATION_INITIAL_ACK_TIMEOUT", NULL, NO_HA },
	{ 0 },
};
/* clang-format on */

/* ---- what goes together ------------------------------------------------------------------------------------------ */

static enum err judge_plaintext(const struct principal_args *a, enum auth_method method, struct why *why)
{
	if (method == AUTH_MTLS)
		return why_set(why, E_CONFIG,
			       "--auth mtls needs TLS: drop --insecure-plaintext, give --tls-cert, --tls-key and "
			       "--root-ca-path");
	if (a->tls_cert || a->tls_key || a->root_ca)
		return why_set(
			why, E_CONFIG,
			"--insecure-plaintext would not use --tls-cert, --tls-key and --root-ca-path: drop one or "
			"the others");
	if (a->require_client_certs || a->subject_match)
		return why_set(why, E_CONFIG,
			       "--insecure-plaintext knows no client certificates: drop --require-client-certs and "
			       "--client-cert-subject-match");
	return E_OK;
}

static bool wants_client_certs(const struct principal_args *a)
{
	return a->require_client_certs || strncmp(a->auth, "mtls:", 5) == 0;
}

static enum err judge_tls(const struct principal_args *a, enum auth_method method, struct why *why)
{
	if (method == AUTH_HEADER)
		return why_set(
			why, E_CONFIG,
			"--auth header believes whoever can connect: it needs --insecure-plaintext, and a proxy in "
			"front that does TLS and sets the header");
	if (!a->tls_cert != !a->tls_key)
		return why_set(why, E_CONFIG, TLS_FILES " belong together: %s is missing",
			       a->tls_cert ? "--tls-key" : "--tls-cert");
	if (!a->tls_cert && !sync_has_secrets(&a->sync))
		return why_set(why, E_CONFIG,
			       TLS_FILES
			       " are needed: 'holdfast pki init' and 'holdfast pki issue --server NAME' make them; "
			       "or --insecure-plaintext");
	if (wants_client_certs(a) && !a->root_ca && !sync_has_secrets(&a->sync))
		return why_set(why, E_CONFIG,
			       "client certificates are checked against --root-ca-path, which is missing");
	if (a->subject_match && method != AUTH_MTLS && !a->require_client_certs)
		return why_set(why, E_CONFIG, "--client-cert-subject-match needs --require-client-certs");
	return E_OK;
}

static enum err judge_labels(const struct option_list *labels, struct why *why)
{
	for (size_t i = 0; i < labels->n; i++) {
		for (struct str rest = str_of(labels->items[i]); rest.n;) {
			struct str label = str_trim(str_cut(&rest, ','));

			if (label.n == 0 || label.p[0] == '=' || str_find(label, '=') == label.n)
				return why_set(why, E_CONFIG, "--namespace-create-labels: '%.*s' is not KEY=VALUE",
					       STR_ARG(label));
		}
	}
	return E_OK;
}

static enum err judge_pattern(const char *pattern, struct why *why)
{
	CLEANUP(regex_freep) struct regex *regex = NULL;

	if (!pattern || regex_new(str_of(pattern), why, &regex) == E_OK)
		return E_OK;
	return why_add(why, "--namespace-create-pattern");
}

static enum err judge(const void *args, struct why *why)
{
	const struct principal_args *a = args;
	struct auth_rule rule;
	enum auth_method method;
	enum err err;

	if (!a->auth)
		return why_set(why, E_CONFIG,
			       "--auth is missing: say how agents prove who they are, as in --auth "
			       "'mtls:subject:^CN=([^,]+)' or --auth userpass:FILE");
	err = judge_labels(&a->namespace_labels, why);
	if (err == E_OK)
		err = judge_pattern(a->namespace_pattern, why);
	if (err == E_OK)
		err = auth_rule_parse(a->auth, why, &rule);
	if (err != E_OK)
		return err;
	method = rule.method;
	auth_rule_release(&rule);
	if (a->jwt_key ? a->jwt_generate : !a->jwt_generate && !sync_has_secrets(&a->sync))
		return why_set(why, E_CONFIG,
			       "%s --jwt-key and --insecure-jwt-generate: tokens are signed with a key from a file "
			       "('holdfast pki init' makes one), or with one that is made at each start",
			       a->jwt_key ? "give one of" : "give either of");
	return a->sync.insecure_plaintext ? judge_plaintext(a, method, why) : judge_tls(a, method, why);
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

/* Upstream looks at it where certificates say who comes. */
static bool wants_blocklist(const struct principal_args *a)
{
	return sync_has_secrets(&a->sync) && !a->blocklist && strncmp(a->auth, "mtls:", 5) == 0;
}

static struct credentials_options credentials_of(const struct principal_args *a)
{
	const struct sync_args *s = &a->sync;
	bool tls = !s->insecure_plaintext;

	return (struct credentials_options){
		.cert = a->tls_cert,
		.key = a->tls_key,
		.ca = a->root_ca,
		.jwt_key = a->jwt_key,
		.tls_secret = sync_secret(s, tls && !a->tls_cert, a->tls_secret, SYNC_SECRET_PRINCIPAL,
					  SYNC_INSTEAD("--tls-secret-name", TLS_FILES)),
		.ca_secret = sync_secret(s, tls && !a->root_ca && wants_client_certs(a), a->ca_secret, SYNC_SECRET_CA,
					 SYNC_INSTEAD("--tls-ca-secret-name", CA_FILE)),
		.jwt_secret = sync_secret(s, !a->jwt_key && !a->jwt_generate, a->jwt_secret, SYNC_SECRET_JWT,
					  SYNC_INSTEAD("--jwt-secret-name", JWT_FILE)),
		.blocklist_map = wants_blocklist(a) ? BLOCKLIST_MAP : NULL,
	};
}

static int run_principal(const struct invocation *inv, const void *args, const struct sync_made *made)
{
	const struct principal_args *a = args;
	struct buf accept = { 0 };
	struct principal_options o = {
		SYNC_OPTIONS(inv, &a->sync, made),
		.listen_host = a->listen_host ? a->listen_host : "",
		.listen_port = a->listen_port,
		.credentials = credentials_of(a),
		.require_client_certs = wants_client_certs(a),
		.client_cert_subject_match = a->subject_match,
		.auth = a->auth,
		.blocklist = a->blocklist,
	};
	int code;

	sync_say_secret(&a->sync, "principal", "tls-secret-name", a->tls_secret);
	sync_say_secret(&a->sync, "principal", "tls-ca-secret-name", a->ca_secret);
	sync_say_secret(&a->sync, "principal", "jwt-secret-name", a->jwt_secret);
	if (sync_join(&a->accept_version, &accept) != E_OK)
		return command_failed(inv, "out of memory");
	o.accept_version = accept.n ? accept.p : NULL;
	o.all_peers_bytes = a->all_peers_bytes;
	o.backend.everywhere = a->sync.allowed_namespaces.n == 0;
	o.backend.namespace_pattern = a->namespace_pattern;
	o.backend.namespace_labels = a->namespace_labels.items;
	o.backend.namespace_label_count = a->namespace_labels.n;
	code = principal_run(&o);
	buf_release(&accept);
	return code;
}

static int run(const struct invocation *inv)
{
	static const struct sync_command command = { .name = "principal", .judge = judge, .run = run_principal };

	return sync_run(inv, &((const struct principal_args *)inv->args)->sync, &command);
}

const struct command cmd_principal = {
	.name = "principal",
	.summary = "Keep many agents in step with the resources of a directory or a cluster",
	.about = "Watches the backend, and holds every change for the agents it concerns until they have confirmed it, "
		 "whether they are connected or not. What agents report is written into the backend. SIGTERM and "
		 "SIGINT finish what is in progress; SIGHUP reads certificates, keys, users and the blocklist again, "
		 "and disconnects agents that are no longer allowed. Options and variables are those of argocd-agent's "
		 "principal; those that have no meaning here are named in the log, or refused with what to do instead.",
	.examples = "  holdfast principal --backend directory:/srv/apps \\\n"
		    "    --data-dir /var/lib/holdfast/principal --jwt-key pki/jwt.key \\\n"
		    "    --tls-cert pki/hub.example.org.crt --tls-key pki/hub.example.org.key \\\n"
		    "    --root-ca-path pki/ca.crt --auth 'mtls:subject:^CN=([^,]+)'\n"
		    "      agents show certificates\n"
		    "  holdfast status --watch --data-dir /var/lib/holdfast/principal\n"
		    "      how they are doing\n",
	.options = options,
	.args_size = sizeof(struct principal_args),
	.service = true,
	.log_level_env = E "LOG_LEVEL",
	.log_format_env = E "LOG_FORMAT",
	.run = run,
};
