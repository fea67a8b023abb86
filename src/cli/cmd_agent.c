#include "agent/agent.h"
#include "auth/identity.h"
#include "cli/commands.h"
#include "cli/sync_args.h"

#define E          "ARGOCD_AGENT_"
#define AT(name)   offsetof(struct agent_args, name)
#define IGNORED    AT(sync.ignored)
#define NO_REDIS   .note = "there is no Redis proxy"
#define TLS_FILES  "--tls-client-cert and --tls-client-key"
#define CA_FILE    "--root-ca-path"
#define USER_AGENT "holdfast/" HOLDFAST_VERSION

struct agent_args {
	struct sync_args sync;
	const char *server_address;
	uint64_t server_port;
	int mode; /* 0: autonomous */
	const char *creds;
	const char *root_ca, *tls_cert, *tls_key;
	const char *ca_secret, *tls_secret;
	bool insecure_tls;
	bool compression;
	uint64_t keep_alive_ms, heartbeat_ms;
	bool ignore_unmanaged;
	int mismatch, recreate, adoption; /* as the words of the options */
};

#define MISMATCHES "recreate|upsert"
#define RECREATES  "ignore|clear-status|resync"
#define ADOPTIONS  "always|never"

/* clang-format off */
static const struct option_row options[] = {
	{ "server-address", 0, OPTION_TEXT, AT(server_address), "HOST", E "REMOTE_SERVER",
	  "Name or address of the principal, as in its certificate. Required." },
	{ "server-port", 0, OPTION_NUMBER, AT(server_port), "PORT", E "REMOTE_PORT", "Its port.",
	  .fallback = "443", .min = 1, .max = 65535 },
	{ "agent-mode", 0, OPTION_CHOICE, AT(mode), "autonomous|managed", E "MODE",
	  "Who owns the resources: the principal (managed) or this agent (autonomous).", .fallback = "autonomous" },
	{ "creds", 0, OPTION_TEXT, AT(creds), "METHOD", E "CREDS",
	  "How to authenticate: userpass:FILE (its first line is name:password), mtls:any or header:. Required." },
	{ "root-ca-path", 0, OPTION_TEXT, AT(root_ca), "FILE", E "TLS_ROOT_CA_PATH",
	  "Certificate authorities of the principal's certificate (PEM). Default: --root-ca-secret-name, or the system's." },
	{ "root-ca-secret-name", 0, OPTION_TEXT, AT(ca_secret), "NAME", E "TLS_ROOT_CA_SECRET_NAME",
	  "With --backend kubernetes, without --root-ca-path: the Secret in --namespace that has them, as tls.crt, ca.crt or both. Default: "
	  SYNC_SECRET_CA "." },
	{ "tls-client-cert", 0, OPTION_TEXT, AT(tls_cert), "FILE", E "TLS_CLIENT_CERT_PATH", "Certificate of this agent (PEM)." },
	{ "tls-client-key", 0, OPTION_TEXT, AT(tls_key), "FILE", E "TLS_CLIENT_KEY_PATH", "Its private key (PEM)." },
	{ "tls-secret-name", 0, OPTION_TEXT, AT(tls_secret), "NAME", E "TLS_SECRET_NAME",
	  "With --backend kubernetes, without these two files: the Secret in --namespace that has them, as tls.crt and tls.key. It may be "
	  "missing unless --creds is mtls:any. Default: " SYNC_SECRET_AGENT "." },
	{ "insecure-tls", 0, OPTION_BOOL, AT(insecure_tls), NULL, E "TLS_INSECURE",
	  "Do not verify the principal's certificate. For tests only: anybody on the network path can read and change "
	  "everything." },
	{ "tls-min-version", 0, OPTION_TEXT, AT(sync.tls_min), "tls1.2|tls1.3", E "TLS_MIN_VERSION",
	  "Lowest TLS version. Default: tls1.2." },
	{ "keep-alive-ping-interval", 0, OPTION_TIME, AT(keep_alive_ms), "TIME", E "KEEP_ALIVE_PING_INTERVAL",
	  "Ping the principal when nothing has come for this long. 0: never. Principals of argocd-agent close "
	  "connections that ping more often than every 5 minutes.", .fallback = "330s" },
	{ "heartbeat-interval", 0, OPTION_TIME, AT(heartbeat_ms), "TIME", E "HEARTBEAT_INTERVAL",
	  "Send the principal a heartbeat event this often. 0: never.", .fallback = "0" },
	{ "enable-compression", 0, OPTION_BOOL, AT(compression), NULL, E "ENABLE_COMPRESSION", "Compress what is sent (gzip)." },
	{ "ignore-unmanaged-apps", 0, OPTION_BOOL, AT(ignore_unmanaged), NULL, E "IGNORE_UNMANAGED_APPS",
	  "Do not touch applications that the principal did not make." },
	{ "source-uid-mismatch-policy", 0, OPTION_CHOICE, AT(mismatch), MISMATCHES, E "SOURCE_UID_MISMATCH_POLICY",
	  "What to do when the object here is a copy of another object of that name whose deletion the principal did not "
	  "report: delete it and create it again, or change it in place. With a principal of holdfast it is always "
	  "changed in place.",
	  .fallback = "recreate" },
	{ "on-application-recreate", 0, OPTION_CHOICE, AT(recreate), RECREATES, E "ON_APPLICATION_RECREATE",
	  "What to do with the old status of an application that was deleted here and is made "
	  "again.", .fallback = "ignore" },
	{ "adoption-policy", 0, OPTION_CHOICE, AT(adoption), ADOPTIONS, E "ADOPTION_POLICY",
	  "Whether an application that was already here may become the principal's.", .fallback = "always" },
	{ "create-namespace", 0, OPTION_BOOL, AT(sync.create_namespaces), NULL, E "CREATE_NAMESPACE",
	  "With --backend kubernetes: make the namespace of an application that is missing. Directories always are." },
	SYNC_ROWS(struct agent_args, E, "256"), /* its one peer's whole window: what is applied shares a flush */
	{ "metrics-port", 0, OPTION_NUMBER, AT(sync.metrics_port), "PORT", E "METRICS_PORT",
	  "/metrics for Prometheus; 'holdfast status' asks there. 0: none.", SYNC_PORT("8181") },
	{ "healthz-port", 0, OPTION_NUMBER, AT(sync.healthz_port), "PORT", E "HEALTH_CHECK_PORT",
	  "/livez, /readyz and /healthz (200 only while connected) for probes. 0: none.", SYNC_PORT("8001") },

	SYNC_IGNORED_ROWS(struct agent_args, E),
	{ "enable-resource-proxy", 0, OPTION_IGNORED, IGNORED, NULL, E "ENABLE_RESOURCE_PROXY", NULL,
	  .note = "live resources are not served" },
	{ "cache-refresh-interval", 0, OPTION_IGNORED, IGNORED, "TIME", E "CACHE_REFRESH_INTERVAL", NULL,
	  .note = "there is no cluster cache to report about" },
	{ "informer-sync-timeout", 0, OPTION_IGNORED, IGNORED, "TIME", E "INFORMER_SYNC_TIMEOUT", NULL,
	  .note = "the backend reports at its own speed" },
	{ "buffer-informer-event-interval", 0, OPTION_IGNORED, IGNORED, "TIME", E "BUFFER_INFORMER_EVENT_INTERVAL", NULL,
	  .note = "only the newest state of what waits is sent anyway" },
	{ "redis-addr", 0, OPTION_IGNORED, IGNORED, "ADDRESS", "REDIS_ADDR", NULL, NO_REDIS },
	{ "redis-creds-dir-path", 0, OPTION_IGNORED, IGNORED, "DIR", "REDIS_CREDS_DIR_PATH", NULL, NO_REDIS },
	{ "redis-username", 0, OPTION_IGNORED, IGNORED, "NAME", "REDIS_USERNAME", NULL, NO_REDIS },
	{ "redis-password", 0, OPTION_IGNORED, IGNORED, "PASSWORD", "REDIS_PASSWORD", NULL, NO_REDIS },
	{ "redis-tls-enabled", 0, OPTION_IGNORED, IGNORED, NULL, E "REDIS_TLS_ENABLED", NULL, NO_REDIS },
	{ "redis-tls-ca-path", 0, OPTION_IGNORED, IGNORED, "FILE", E "REDIS_TLS_CA_PATH", NULL, NO_REDIS },
	{ "redis-tls-ca-secret-name", 0, OPTION_IGNORED, IGNORED, "NAME", E "REDIS_TLS_CA_SECRET_NAME", NULL, NO_REDIS },
	{ "redis-tls-insecure", 0, OPTION_IGNORED, IGNORED, NULL, E "REDIS_TLS_INSECURE", NULL, NO_REDIS },
	{ 0 },
};
/* clang-format on */

/* ---- what goes together ------------------------------------------------------------------------------------------ */

static enum err judge_plaintext(const struct agent_args *a, enum auth_method method, struct why *why)
{
	if (method == AUTH_MTLS)
		return why_set(why, E_CONFIG, "--creds mtls:any needs TLS: drop --insecure-plaintext");
	if (a->root_ca || a->tls_cert || a->tls_key || a->insecure_tls)
		return why_set(
			why, E_CONFIG,
			"--insecure-plaintext would not use --root-ca-path, --tls-client-cert, --tls-client-key and "
			"--insecure-tls: drop one or the others");
	return E_OK;
}

static enum err judge_tls(const struct agent_args *a, enum auth_method method, struct why *why)
{
	if (!a->tls_cert != !a->tls_key)
		return why_set(why, E_CONFIG, "--tls-client-cert and --tls-client-key belong together: %s is missing",
			       a->tls_cert ? "--tls-client-key" : "--tls-client-cert");
	if (method == AUTH_MTLS && !a->tls_cert && !sync_has_secrets(&a->sync))
		return why_set(
			why, E_CONFIG,
			"--creds mtls:any needs --tls-client-cert and --tls-client-key: 'holdfast pki issue --agent "
			"NAME' makes them");
	/* Not the authority that was meant, but each that the system knows, would be believed. */
	if (a->ca_secret && !sync_has_secrets(&a->sync) && !a->root_ca && !a->insecure_tls)
		return why_set(why, E_CONFIG, "--root-ca-secret-name: " SYNC_NO_SECRETS ": give --root-ca-path FILE");
	if (a->insecure_tls && a->root_ca)
		return why_set(why, E_CONFIG, "--insecure-tls would not look at --root-ca-path: drop one of them");
	return E_OK;
}

static enum err judge(const void *args, struct why *why)
{
	const struct agent_args *a = args;
	struct auth_creds creds;
	enum auth_method method;
	enum err err;

	if (!a->server_address)
		return why_set(why, E_CONFIG, "--server-address is missing: say where the principal is");
	if (!a->creds)
		return why_set(why, E_CONFIG,
			       "--creds is missing: say how we prove who we are, as in --creds mtls:any or --creds "
			       "userpass:FILE");
	err = auth_creds_parse(a->creds, why, &creds);
	if (err != E_OK)
		return err;
	method = creds.method;
	auth_creds_release(&creds);
	return a->sync.insecure_plaintext ? judge_plaintext(a, method, why) : judge_tls(a, method, why);
}

/* ---- run --------------------------------------------------------------------------------------------------------- */

static const char *const mismatches[] = { "recreate", "upsert" };
static const char *const recreates[] = { "ignore", "clear-status", "resync" };
static const char *const adoptions[] = { "always", "never" };

static struct credentials_options credentials_of(const struct agent_args *a)
{
	const struct sync_args *s = &a->sync;
	bool tls = !s->insecure_plaintext;
	struct credentials_options made = {
		.cert = a->tls_cert,
		.key = a->tls_key,
		.ca = a->root_ca,
		.tls_secret = sync_secret(s, tls && !a->tls_cert, a->tls_secret, SYNC_SECRET_AGENT,
					  SYNC_INSTEAD("--tls-secret-name", TLS_FILES)),
		.ca_secret = sync_secret(s, tls && !a->root_ca && !a->insecure_tls, a->ca_secret, SYNC_SECRET_CA,
					 SYNC_INSTEAD("--root-ca-secret-name", CA_FILE)),
	};

	made.tls_secret.optional = strncmp(a->creds, "mtls:", 5) != 0; /* a principal may ask for one nevertheless */
	return made;
}

static int run_agent(const struct invocation *inv, const void *args, const struct sync_made *made)
{
	const struct agent_args *a = args;
	const struct agent_options o = {
		SYNC_OPTIONS(inv, &a->sync, made),
		.server_address = a->server_address,
		.server_port = a->server_port,
		.mode = a->mode == 0 ? "autonomous" : "managed",
		.creds = a->creds,
		.ignore_unmanaged_apps = a->ignore_unmanaged,
		.source_uid_mismatch_policy = mismatches[a->mismatch],
		.on_application_recreate = recreates[a->recreate],
		.adoption_policy = adoptions[a->adoption],
		.credentials = credentials_of(a),
		.insecure_tls = a->insecure_tls,
		.enable_compression = a->compression,
		.keep_alive_ms = a->keep_alive_ms,
		.heartbeat_ms = a->heartbeat_ms,
		.user_agent = USER_AGENT,
	};

	sync_say_secret(&a->sync, "agent", "tls-secret-name", a->tls_secret);
	sync_say_secret(&a->sync, "agent", "root-ca-secret-name", a->ca_secret);
	return agent_run(&o);
}

static int run(const struct invocation *inv)
{
	static const struct sync_command command = { .name = "agent", .judge = judge, .run = run_agent };

	return sync_run(inv, &((const struct agent_args *)inv->args)->sync, &command);
}

const struct command cmd_agent = {
	.name = "agent",
	.summary = "Keep the resources of a directory or a cluster in step with a principal",
	.about = "Managed: creates, changes and deletes what the principal says, undoes what others do to it, and "
		 "reports its status. Autonomous: reports what is here, and lets the principal start operations. What "
		 "the principal has not confirmed is kept, over restarts and while it is away. SIGTERM and SIGINT "
		 "finish what is in progress; SIGHUP reads certificates again, and connects at once where an agent "
		 "waits to. Options and variables are those of argocd-agent's agent; those that have no meaning here "
		 "are named in the log, or refused with what to do instead.",
	.examples = "  holdfast agent --agent-mode managed --backend directory:/srv/apps \\\n"
		    "    --server-address hub.example.org --server-port 8443 --creds mtls:any \\\n"
		    "    --root-ca-path pki/ca.crt \\\n"
		    "    --tls-client-cert pki/site-1.crt --tls-client-key pki/site-1.key\n"
		    "      a managed site\n"
		    "  holdfast status --data-dir /var/lib/holdfast/agent\n"
		    "      how it is doing\n",
	.options = options,
	.args_size = sizeof(struct agent_args),
	.service = true,
	.log_level_env = E "LOG_LEVEL",
	.log_format_env = E "LOG_FORMAT",
	.run = run,
};
