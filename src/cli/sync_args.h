/*
 * sync_args.h -- the options that principal and agent share, and what becomes of them.
 *
 * Shape     rows by macro, because names of variables differ: upstream's begin with ARGOCD_PRINCIPAL_ or ARGOCD_AGENT_. Limits have
 *           their ranges from the tables of the modules that they belong to.
 * Source    argocd-agent facts 6.1 to 6.4
 */
#pragma once

#include <limits.h>

#include "cli/command.h"
#include "daemon/credentials.h"
#include "net/tls.h"
#include "sync/session.h"

struct sync_args {
	const char *backend; /* NULL: none was given */
	const char *kubeconfig, *kubecontext;
	bool create_namespaces;
	const char *data_dir;
	const char *version_string;
	const char *namespace;
	struct option_list allowed_namespaces;
	const char *label_selector;
	bool destination_mapping;
	bool insecure_plaintext;
	const char *tls_min, *tls_max;
	struct option_list tls_suites;
	uint64_t message_max;
	uint64_t metrics_port, healthz_port;
	uint64_t resync_ms;
	uint64_t peer_objects, peer_bytes;
	uint64_t guard_share, guard_min;
	uint64_t outbox_entries, outbox_bytes, window_events, window_bytes;
	uint64_t rate, burst, resend_base_ms, resend_cap_ms;
	uint64_t inbox_events, inbox_parallel;
	struct option_list ignored;
};

/* What of them had to be made. Zeroed before. */
struct sync_made {
	const char *backend;
	char data_dir[PATH_MAX];
	struct buf suites;
	enum tls_version tls_min, tls_max;
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct guard_limits guard;
	struct session_limits limits;
};

/* Ranges of the modules' own tables, as constants. */
enum {
#define X(name, type, min, max, default, unit, meaning) SESSION_MIN_##name = (min), SESSION_MAX_##name = (max),
	SESSION_LIMITS(X)
#undef X
#define X(name, type, min, max, default, unit, meaning) GUARD_MIN_##name = (min), GUARD_MAX_##name = (max),
		GUARD_LIMITS(X)
#undef X
#define X(name, type, min, max, default, unit, meaning) OUTBOX_MIN_##name = (min), OUTBOX_MAX_##name = (max),
			OUTBOX_LIMITS(X)
#undef X
#define X(name, type, min, max, default, unit, meaning) INBOX_MIN_##name = (min), INBOX_MAX_##name = (max),
				INBOX_LIMITS(X)
#undef X
};

/* clang-format off */

/* What a row has behind its help: no second letter, the default, the range. */
#define SYNC_DEFAULT(text)             .fallback = (text)
#define SYNC_RANGE(text, module, name) .fallback = (text), .min = module##_MIN_##name, .max = module##_MAX_##name
#define SYNC_PORT(text)                .fallback = (text), .max = 65535

#define SYNC_AT(type, field) offsetof(type, sync.field)

/* `type`: of the command's arguments, with `struct sync_args sync`; `E`: how upstream's variables begin; `PARALLEL`: --inbox-parallel. */
#define SYNC_ROWS(type, E, PARALLEL)                                                                                       \
	{ "backend", 'b', OPTION_TEXT, SYNC_AT(type, backend), "directory:PATH|kubernetes", "HOLDFAST_BACKEND",            \
	  "Where the resources are: files NAMESPACE/KIND/NAME.yaml below PATH, or the API server of a cluster. Default: "  \
	  "kubernetes with --kubeconfig or --kubecontext, and in a pod." },                                                \
	{ "kubeconfig", 0, OPTION_TEXT, SYNC_AT(type, kubeconfig), "FILE", NULL,                                           \
	  "With --backend kubernetes: which API server, and as whom. Default: the files in $KUBECONFIG, else a pod's "     \
	  "service account, else ~/.kube/config." },                                                                       \
	{ "kubecontext", 0, OPTION_TEXT, SYNC_AT(type, kubecontext), "NAME", NULL,                                         \
	  "With --backend kubernetes: the context of the kubeconfig. Default: its current one." },                         \
	{ "data-dir", 'D', OPTION_TEXT, SYNC_AT(type, data_dir), "DIR", "HOLDFAST_DATA_DIR",                               \
	  "Directory of the ledger: what this process must not forget. One for each process. Default: principal or agent " \
	  "in /var/lib/holdfast for root, else in ~/.local/state/holdfast." },                                             \
	{ "namespace", 'n', OPTION_TEXT, SYNC_AT(type, namespace), "NAME", E "NAMESPACE",                                  \
	  "This end's own namespace.", SYNC_DEFAULT("argocd") },                                                           \
	{ "allowed-namespaces", 0, OPTION_COMMAS, SYNC_AT(type, allowed_namespaces), "PATTERNS", E "ALLOWED_NAMESPACES",   \
	  "Namespaces to look at: globs, or regular expressions in slashes, separated by commas." },                       \
	{ "label-selector", 0, OPTION_TEXT, SYNC_AT(type, label_selector), "SELECTOR", E "LABEL_SELECTOR",                 \
	  "Only resources with these labels, in the syntax of Kubernetes." },                                              \
	{ "destination-based-mapping", 0, OPTION_BOOL, SYNC_AT(type, destination_mapping), NULL,                           \
	  E "DESTINATION_BASED_MAPPING",                                                                                   \
	  "An application belongs to the agent that spec.destination.name names, instead of its namespace. Both ends "     \
	  "must agree." },                                                                                                 \
	{ "insecure-plaintext", 0, OPTION_BOOL, SYNC_AT(type, insecure_plaintext), NULL, E "INSECURE_PLAINTEXT",           \
	  "No TLS: for tests, or behind a proxy that does it." },                                                          \
	{ "tls-max-version", 0, OPTION_TEXT, SYNC_AT(type, tls_max), "tls1.2|tls1.3", E "TLS_MAX_VERSION",                 \
	  "Highest TLS version. Default: the newest there is." },                                                          \
	{ "tls-ciphersuites", 0, OPTION_COMMAS, SYNC_AT(type, tls_suites), "NAMES", E "TLS_CIPHERSUITES",                  \
	  "Only these cipher suites, separated by commas; 'list' prints all." },                                           \
	{ "grpc-max-message-size", 0, OPTION_SIZE, SYNC_AT(type, message_max), "BYTES", E "GRPC_MAX_MESSAGE_SIZE",         \
	  "Largest message to accept. What would be larger is set aside, and 'holdfast status' shows it. With "            \
	  "argocd-agent at the other end, give both the same.",                                                            \
	  .fallback = "209715200", .min = 65536, .max = 1073741824 },                                                      \
	{ "version-string", 0, OPTION_TEXT, SYNC_AT(type, version_string), "VERSION", "HOLDFAST_VERSION_STRING",           \
	  "The version to announce. argocd-agent talks only to its own version. Default: this program's." },               \
	{ "resync-interval", 0, OPTION_TIME, SYNC_AT(type, resync_ms), "TIME", "HOLDFAST_RESYNC_INTERVAL",                 \
	  "How often, while connected, the end that holds copies compares them with the other end.",                       \
	  SYNC_RANGE("5m", SESSION, resync_ms) },                                                                          \
	{ "guard-share", 0, OPTION_NUMBER, SYNC_AT(type, guard_share), "PERCENT", "HOLDFAST_GUARD_SHARE",                  \
	  "Deletes of a comparison that would remove a larger share of what a peer has are held until 'holdfast "          \
	  "release'. 100: never.", SYNC_RANGE("50", GUARD, share_max) },                                                   \
	{ "guard-min", 0, OPTION_NUMBER, SYNC_AT(type, guard_min), "N", "HOLDFAST_GUARD_MIN",                              \
	  "Fewer deletes than this are never held.", SYNC_RANGE("3", GUARD, count_min) },                                 \
	{ "outbox-events", 0, OPTION_NUMBER, SYNC_AT(type, outbox_entries), "N", "HOLDFAST_OUTBOX_EVENTS",                 \
	  "At most this many events wait for one peer; more wait where they come from.",                                   \
	  SYNC_RANGE("1000000", OUTBOX, entries_max) },                                                                    \
	{ "outbox-bytes", 0, OPTION_SIZE, SYNC_AT(type, outbox_bytes), "BYTES", "HOLDFAST_OUTBOX_BYTES",                   \
	  "The same, by size.", SYNC_RANGE("1GiB", OUTBOX, bytes_max) },                                                   \
	{ "peer-objects", 0, OPTION_NUMBER, SYNC_AT(type, peer_objects), "N", "HOLDFAST_PEER_OBJECTS",                     \
	  "At most this many objects are kept here for one peer: copies of its objects, and copies that only it knows "    \
	  "of. More are refused until there is room. 0: no limit.",                                                        \
	  SYNC_RANGE("100000", SESSION, peer_objects) },                                                                   \
	{ "peer-bytes", 0, OPTION_SIZE, SYNC_AT(type, peer_bytes), "BYTES", "HOLDFAST_PEER_BYTES",                         \
	  "The same, by size.", SYNC_RANGE("4GiB", SESSION, peer_bytes) },                                                 \
	{ "window-events", 0, OPTION_NUMBER, SYNC_AT(type, window_events), "N", "HOLDFAST_WINDOW_EVENTS",                  \
	  "At most this many events are in flight to one peer.", SYNC_RANGE("256", OUTBOX, window_events) },               \
	{ "window-bytes", 0, OPTION_SIZE, SYNC_AT(type, window_bytes), "BYTES", "HOLDFAST_WINDOW_BYTES",                   \
	  "The same, by size.", SYNC_RANGE("16MiB", OUTBOX, window_bytes) },                                               \
	{ "rate-per-minute", 0, OPTION_NUMBER, SYNC_AT(type, rate), "N", "HOLDFAST_RATE_PER_MINUTE",                       \
	  "At most this many events a minute go to one peer. 0: no limit.",                                                \
	  SYNC_RANGE("0", OUTBOX, rate_per_minute) },                                                                      \
	{ "rate-burst", 0, OPTION_NUMBER, SYNC_AT(type, burst), "N", "HOLDFAST_RATE_BURST",                                \
	  "With --rate-per-minute: so many at once after a pause.", SYNC_RANGE("1000", OUTBOX, rate_burst) },              \
	{ "resend-after", 0, OPTION_TIME, SYNC_AT(type, resend_base_ms), "TIME", "HOLDFAST_RESEND_AFTER",                  \
	  "Send an event again when it is not confirmed after about this time, then after four times as long, and so on.", \
	  SYNC_RANGE("5s", OUTBOX, resend_base_ms) },                                                                      \
	{ "resend-at-most", 0, OPTION_TIME, SYNC_AT(type, resend_cap_ms), "TIME", "HOLDFAST_RESEND_AT_MOST",               \
	  "Longest time between two of these attempts.", SYNC_RANGE("2m", OUTBOX, resend_cap_ms) },                        \
	{ "inbox-events", 0, OPTION_NUMBER, SYNC_AT(type, inbox_events), "N", "HOLDFAST_INBOX_EVENTS",                     \
	  "At most this many events of one peer are taken and not yet answered.", SYNC_RANGE("256", INBOX, window_events) }, \
	{ "inbox-parallel", 0, OPTION_NUMBER, SYNC_AT(type, inbox_parallel), "N", "HOLDFAST_INBOX_PARALLEL",               \
	  "At most this many of them are applied at the same time.", SYNC_RANGE(PARALLEL, INBOX, parallel_max) }

/* Of both programs of upstream, and without effect here. */
#define SYNC_IGNORED_ROWS(type, E)                                                                                         \
	{ "full-detail", 0, OPTION_IGNORED, SYNC_AT(type, ignored), "NAMES", E "FULL_DETAIL", NULL,                        \
	  .note = "payloads are never logged" },                                                                           \
	{ "pprof-port", 0, OPTION_IGNORED, SYNC_AT(type, ignored), "PORT", E "PPROF_PORT", NULL,                           \
	  .note = "there is no Go profiler in here; perf(1) works" },                                                      \
	{ "otlp-address", 0, OPTION_IGNORED, SYNC_AT(type, ignored), "ADDRESS", E "OTLP_ADDRESS", NULL,                    \
	  .note = "no traces are sent" },                                                                                  \
	{ "otlp-insecure", 0, OPTION_IGNORED, SYNC_AT(type, ignored), NULL, E "OTLP_INSECURE", NULL,                       \
	  .note = "no traces are sent" },                                                                                  \
	{ "enable-websocket", 0, OPTION_REFUSED, SYNC_AT(type, ignored), NULL, E "ENABLE_WEBSOCKET", NULL,                 \
	  .note = "WebSockets are not served: let HTTP/2 through the proxy, or pass TLS through it" }

/* What both commands tell their processes alike; `inv`, `s` (sync_args) and `made` by their names. */
#define SYNC_OPTIONS(inv, s, made)                                                                                         \
	.namespace = (s)->namespace,                                                                                       \
	.allowed_namespaces = (s)->allowed_namespaces.items,                                                               \
	.allowed_namespace_count = (s)->allowed_namespaces.n,                                                              \
	.label_selector = (s)->label_selector ? (s)->label_selector : "",                                                  \
	.destination_mapping = (s)->destination_mapping,                                                                   \
	.tls_min = (made)->tls_min,                                                                                        \
	.tls_max = (made)->tls_max,                                                                                        \
	.tls_suites = (made)->suites.n ? (made)->suites.p : NULL,                                                          \
	.insecure_plaintext = (s)->insecure_plaintext,                                                                     \
	.grpc_max_message_size = (s)->message_max,                                                                         \
	.version = (s)->version_string ? (s)->version_string : HOLDFAST_VERSION,                                           \
	.backend = { .name = (made)->backend,                                                                              \
		     .kubeconfig = (s)->kubeconfig,                                                                        \
		     .kubecontext = (s)->kubecontext,                                                                      \
		     .namespace = (s)->namespace,                                                                          \
		     .namespaces = (s)->allowed_namespaces.items,                                                          \
		     .namespace_count = (s)->allowed_namespaces.n,                                                         \
		     .create_namespaces = (s)->create_namespaces },                                                        \
	.data_dir = (made)->data_dir,                                                                                      \
	.metrics_port = (s)->metrics_port,                                                                                 \
	.healthz_port = (s)->healthz_port,                                                                                 \
	.outbox = (made)->outbox,                                                                                          \
	.inbox = (made)->inbox,                                                                                            \
	.guard = (made)->guard,                                                                                            \
	.limits = (made)->limits,                                                                                          \
	.build = HOLDFAST_VERSION,                                                                                         \
	.level = (enum log_level)(inv)->common.log_level,                                                                  \
	.format = (enum log_format)(inv)->common.log_format

/* clang-format on */

/* One of the two commands. */
struct sync_command {
	const char *name; /* of its logger, and of its part of the default data directory */
	/* What goes together of its own arguments. */
	enum err (*judge)(const void *args, struct why *why);
	/* Everything is right: run. Returns the exit code. */
	int (*run)(const struct invocation *inv, const void *args, const struct sync_made *made);
};

/* Judge, convert, say what has no effect, and run. `args` are the invocation's, with `sync` among them. */
int sync_run(const struct invocation *inv, const struct sync_args *sync, const struct sync_command *command);

/* As upstream calls the Secrets (facts 6). */
#define SYNC_SECRET_PRINCIPAL       "argocd-agent-principal-tls"
#define SYNC_SECRET_AGENT           "argocd-agent-client-tls"
#define SYNC_SECRET_CA              "argocd-agent-ca"
#define SYNC_SECRET_JWT             "argocd-agent-jwt"

#define SYNC_NO_SECRETS             "Secrets are read with --backend kubernetes"

/* What people may do instead of creating one. */
#define SYNC_INSTEAD(option, files) "name another with " option ", or give " files

/* Are keys and certificates that no file has in Secrets? */
bool sync_has_secrets(const struct sync_args *args);

/* The Secret of this name (NULL: the usual one), if it is wanted and there are any. */
struct credentials_secret sync_secret(const struct sync_args *args, bool wanted, const char *name, const char *usual,
				      const char *instead);

/* A line about an option that names one where there are none. `name`: as given, or NULL. */
void sync_say_secret(const struct sync_args *args, const char *logger, const char *option, const char *name);

/* The words of a list with commas between them. */
enum err sync_join(const struct option_list *list, struct buf *ret_text);
