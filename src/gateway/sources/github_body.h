/*
 * github_body.h -- the members of a GitHub event that we write ourselves.
 *
 * Errors    E_NOMEM
 * Source    facts argo-events 1.3 (4): upstream sets X-GitHub-Event and X-GitHub-Delivery over what the body says
 */
#pragma once

#include "base/buf.h"

/*
 * payload[at..] is an object, validated and compacted. Takes out its members X-GitHub-Event and X-GitHub-Delivery, however
 * they are escaped (of two members readers differ in which one counts), and its closing brace, so that ours can follow.
 */
enum err github_drop_ours(struct buf *payload, size_t at);
