/*
 * curl_tls.h -- what libcurl is told about TLS: whom to trust, and who we are.
 *
 * Owner     paths are copied by libcurl; bytes are borrowed for as long as the handle, and its copies, may be used.
 * Source    libcurl 7.88
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "base/str.h"

struct curl_tls {
	const char *ca_file; /* PEM, in place of the system's authorities; NULL, and no `ca`: those */
	struct str ca;       /* the same as bytes */
	const char *cert_file;
	const char *key_file;
	struct str cert;
	struct str key;
	bool insecure; /* whoever answers is trusted: the operator said so */
};

/* False: without memory. */
bool curl_tls_set(CURL *curl, const struct curl_tls *tls);
