/*
 * open_pulls.h -- which changes of a push are in an open pull request? Asked of Bitbucket Data Center.
 *
 * Shape     init() reads from the push what to ask for, ask() asks, one commit after another, and marks.
 * Owner     holds copies: the push need not live on. release() takes a zeroed one.
 * Threads   ask() blocks: not in a loop.
 * Source    facts argo-events 1.6: GET <base>/api/1.0/projects/<p>/repos/<r>/commits/<hash>/pull-requests
 */
#pragma once

#include "base/str.h"
#include "gateway/sources/bitbucketserver.h"

struct open_pulls {
	char *path;       /* "/api/1.0/projects/<p>/repos/<r>/commits/" */
	char (*hash)[65]; /* of each change; empty: not to be asked for */
	bool *skip;       /* of each change: it is in an open pull request */
	size_t count;
};

/* False: nothing is to be asked (no branch, or a push that does not say where it was), or there is no memory: keep all. */
bool open_pulls_init(struct open_pulls *o, struct str body, struct str changes, size_t count);

/* Within `budget_ms`. What cannot be learnt is not skipped, and logged. */
void open_pulls_ask(struct open_pulls *o, const struct bitbucketserver_settings *s, struct str token,
		    uint64_t budget_ms);

void open_pulls_release(struct open_pulls *o);

/* Does an answer of Bitbucket name an open pull request? */
bool open_pulls_in(struct str answer);
