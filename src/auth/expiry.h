/*
 * expiry.h -- when a certificate of ours expires: whoever checks it stays away then, and knows why; we would not.
 *
 * Shape     one number for each process, holdfast_certificate_expires_timestamp_seconds, and a line in the log once it is past.
 */
#pragma once

#include "base/metrics.h"
#include "net/pem.h"

/* The first of this process's certificates expires then (ms since 1970); 0: it has none. */
void expiry_show(struct metrics *m, int64_t expires_ms);

/* What is shown. */
int64_t expiry_shown(struct metrics *m);

/* Shows when this certificate expires, if there is one, and says so in the log when it has. */
void expiry_tell(const char *logger, struct metrics *m, const struct pem *cert);
