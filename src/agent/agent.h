/*
 * agent.h -- the agent as a process: what it is started with, and its run.
 *
 * Owner     options are borrowed until agent_run() returns.
 * Source    argocd-agent facts 6.2; docs/guide/sync.md
 */
#pragma once

#include "auth/agent.h"
#include "backend/open.h"
#include "base/log.h"
#include "daemon/credentials.h"
#include "net/tls.h"
#include "sync/session.h"

struct agent_options {
	const char *server_address;
	uint64_t server_port;
	const char *mode;  /* "managed", "autonomous" */
	const char *creds; /* "userpass:FILE", ... */
	const char *namespace;
	const char *const *allowed_namespaces;
	size_t allowed_namespace_count;
	const char *label_selector; /* "": all */
	bool destination_mapping;
	bool ignore_unmanaged_apps;
	const char *source_uid_mismatch_policy; /* "recreate", "upsert" */
	const char *on_application_recreate;    /* "ignore", "clear-status", "resync" */
	const char *adoption_policy;            /* "always", "never" */
	struct credentials_options credentials; /* no authorities: the system's */
	enum tls_version tls_min, tls_max;
	const char *tls_suites; /* NULL: all */
	bool insecure_tls;
	bool insecure_plaintext;
	bool enable_compression;
	uint64_t keep_alive_ms; /* 0: no pings */
	uint64_t heartbeat_ms;  /* 0: none */
	uint64_t grpc_max_message_size;
	const char *version;    /* that we say we have */
	const char *user_agent; /* of our calls */
	struct backend_options backend;
	const char *data_dir;
	uint64_t metrics_port; /* 0: none */
	uint64_t healthz_port; /* 0: none */
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct guard_limits guard;
	struct session_limits limits;
	const char *build; /* the program's own version */
	enum log_level level;
	enum log_format format;
};

/* Runs until SIGTERM or SIGINT, then drains. Returns the exit code. */
int agent_run(const struct agent_options *options);
