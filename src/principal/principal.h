/*
 * principal.h -- the principal as a process: what it is started with, and its run.
 *
 * Owner     options are borrowed until principal_run() returns.
 * Source    argocd-agent facts 6.1; docs/guide/sync.md
 */
#pragma once

#include "backend/open.h"
#include "base/log.h"
#include "daemon/credentials.h"
#include "net/tls.h"
#include "sync/session.h"

struct principal_options {
	const char *listen_host;
	uint64_t listen_port;
	const char *namespace;
	const char *const *allowed_namespaces; /* patterns; none: what the backend holds is admitted */
	size_t allowed_namespace_count;
	const char *label_selector; /* "": all */
	bool destination_mapping;
	/* No certificate with insecure_plaintext; no authorities: no client certificates are asked for; no key: one is made for this run. */
	struct credentials_options credentials;
	enum tls_version tls_min, tls_max;
	const char *tls_suites; /* NULL: all */
	bool require_client_certs;
	bool client_cert_subject_match;
	bool insecure_plaintext;
	const char *auth;           /* "userpass:FILE", ... */
	const char *blocklist;      /* file of fingerprints; NULL: none */
	const char *accept_version; /* patterns; NULL: exactly `version` */
	const char *version;        /* that agents must have, and that we say */
	struct backend_options backend;
	const char *data_dir;
	uint64_t grpc_max_message_size;
	uint64_t metrics_port; /* 0: none */
	uint64_t healthz_port; /* 0: none */
	struct outbox_options outbox;
	struct inbox_options inbox;
	struct guard_limits guard;
	struct session_limits limits;
	uint64_t all_peers_bytes; /* 0: as much of a container's memory as is good */
	const char *build;        /* the program's own version */
	enum log_level level;
	enum log_format format;
};

/* Runs until SIGTERM or SIGINT, then drains. Returns the exit code. */
int principal_run(const struct principal_options *options);
