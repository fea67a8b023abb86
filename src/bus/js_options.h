/*
 * js_options.h -- how to connect: authentication and TLS, read from their files anew for each connect.
 *
 * Errors    E_CONFIG  a file cannot be read or does not hold what it should; no secret is ever in the text
 * Source    facts argo-events 4.0 (auth file: username+password or token), 4.5 (TLS rules)
 */
#pragma once

#include <nats/nats.h>

#include "bus/jetstream.h"
#include "bus/servers.h"

/*
 * Options for one server. TLS when it is configured or the URL asks for it; the library also turns to TLS when the server
 * requires it, then encrypted to whoever answers, as upstream (facts 4.1).
 */
enum err js_options(const struct jetstream_config *config, const struct server *server, natsOptions **ret_options,
		    struct why *why);

/* Is TLS configured, or asked for by the URL? */
bool js_options_tls(const struct jetstream_config *config, const struct server *server);

/* Can every file of the configuration be read and used? */
enum err js_options_check(const struct jetstream_config *config, const struct server *server, struct why *why);
