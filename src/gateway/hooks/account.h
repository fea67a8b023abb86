/*
 * account.h -- a provider's address and whom we are there: its requests go one after another.
 *
 * Shape     one transfer at a time with libcurl's multi interface, so that a slow provider holds up nobody but itself and a rate
 *           limit is kept by all hooks of the account. Redirects are not followed; TLS is verified unless the operator
 *           turned that off; secrets are read anew for every request and wiped after it.
 * Owner     account_new/account_free; the hook that is busy is the engine's.
 * Threads   one.
 * Errors    E_IO           a secret cannot be read
 *           E_CONFIG       a GitHub App's key is none
 *           E_NOMEM
 * Source    libcurl 7.88
 */
#pragma once

#include <curl/curl.h>

#include "gateway/hooks/pace.h"
#include "gateway/hooks/plan.h"

struct account {
	struct gateway_config *config; /* a reference */
	struct login login;
	struct secret_file first;
	struct secret_file second; /* path NULL: none */
	CURLM *multi;              /* borrowed */
	CURL *curl;
	struct curl_slist *fields;
	struct hook_request request; /* under way */
	char error[CURL_ERROR_SIZE]; /* libcurl's words */
	struct buf answer;
	struct buf space; /* the answer, compacted */
	struct hook *busy;
	bool under_way;
	bool logging_in;
	struct buf token; /* of an app's installation; the keys of a role (aws_role.h) */
	int64_t token_until_s;
	bool token_unused; /* it was given a moment ago: it is tried, whatever our clock says of its end */
	uint64_t free_ms;  /* nothing is asked before: a rate limit */
	struct account *next;
};

/* Takes over the base; borrows the rest from the configuration, of which it holds a reference. */
struct account *account_new(struct gateway_config *config, struct login *login, CURLM *multi);
void account_free(struct account *a);

bool account_is(const struct account *a, const struct login *login);

/* Send `h`'s next request, or log in first. */
enum err account_start(struct account *a, struct hook *h, struct why *why);

/* Gives up what is under way. */
void account_cancel(struct account *a);

/* A transfer ended, by now out of the multi handle. */
struct account_outcome {
	enum pace pace;
	uint64_t wait_ms;
	struct hook_answer answer;
	enum err err; /* of a transfer that brought no answer, with the story in `why` */
};
void account_finish(struct account *a, CURLcode code, struct account_outcome *ret_outcome, struct why *why);

/* The login's answer. */
enum err account_take_login(struct account *a, const struct account_outcome *o, struct why *why);

/* Wipes and frees what the request was made of. */
void account_forget(struct account *a);
