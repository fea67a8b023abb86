/*
 * refs_changed.h -- a push to Bitbucket Data Center whose changes count one by one.
 *
 * Shape     the body's "changes" are taken apart: those of branches in an open pull request are left out
 *           (skipBranchRefsChangedOnOpenPR, which asks Bitbucket in an errand), the others become one event each
 *           (oneEventPerChange) or stay together in one. All else of the body is kept as it came.
 * Limits    Bitbucket is asked for at most REFS_ASKED_MAX commits and for three quarters of the route's deadline; what it
 *           could not be asked for is kept: an event too many does less harm than one too few.
 * Source    facts argo-events 1.6
 */
#pragma once

struct exchange;

#define REFS_ASKED_MAX 50

/* x->body is a verified "repo:refs_changed". Answers, now or later. */
void refs_changed(struct exchange *x);
