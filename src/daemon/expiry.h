/*
 * expiry.h -- a certificate of ours that is over: whoever checks it stays away, and knows why; we would not.
 */
#pragma once

/* Says so in the log when the certificate in this file is over. NULL: there is none. */
void expiry_tell(const char *logger, const char *cert_path);
