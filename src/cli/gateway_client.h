/*
 * gateway_client.h -- the running gateway, principal or agent of a data directory, asked over HTTP.
 *
 * Shape     it writes <dataDir>/admin.json {"address":"http://127.0.0.1:7777","token":"..."}, readable by its
 *           owner only, while it runs. One request at a time, with libcurl.
 * Owner     gateway_client_init/gateway_client_release; the answer's bytes are the caller's.
 * Errors    E_NOT_FOUND        there is no such file: nothing runs, or it has no admin address
 *           E_FORBIDDEN        the file belongs to somebody else, or the token was not taken
 *           E_UNAVAILABLE      nobody listens there: the process was killed
 *           E_TIMEOUT          it listens and does not answer
 *           E_UNSUPPORTED      it answers something else than 200; `why` has its words
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct gateway_client {
	char *address;
	char *token;
};

enum err gateway_client_init(struct gateway_client *c, const char *dir, struct why *why);
void gateway_client_release(struct gateway_client *c);

/* `method` is "GET" or "POST", `path` begins with a slash and may have a query. Appends the body to `ret_body`. */
enum err gateway_client_call(const struct gateway_client *c, const char *method, const char *path, struct why *why,
			     struct buf *ret_body);
