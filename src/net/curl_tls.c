#include "net/curl_tls.h"

static bool set_text(CURL *curl, CURLoption option, const char *text)
{
	return !text || curl_easy_setopt(curl, option, text) == CURLE_OK;
}

static bool set_bytes(CURL *curl, CURLoption option, struct str bytes)
{
	struct curl_blob blob = { .data = (char *)bytes.p, .len = bytes.n, .flags = CURL_BLOB_NOCOPY };

	return !bytes.n || curl_easy_setopt(curl, option, &blob) == CURLE_OK;
}

/*
 * Whoever names authorities trusts no others: libcurl would look into the system's directory as well, and would keep what it has
 * read of a file for a day.
 */
static bool set_trust(CURL *curl, const struct curl_tls *tls)
{
	if (tls->ca_file || tls->ca.n) {
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, 0L);
	}
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
	return set_text(curl, CURLOPT_CAINFO, tls->ca_file) && set_bytes(curl, CURLOPT_CAINFO_BLOB, tls->ca);
}

/* OpenSSL asks the terminal for the password of a key that has one, unless it is told one. */
static bool set_certificate(CURL *curl, const struct curl_tls *tls)
{
	return set_text(curl, CURLOPT_KEYPASSWD, "") && set_text(curl, CURLOPT_SSLCERT, tls->cert_file) &&
	       set_text(curl, CURLOPT_SSLKEY, tls->key_file) && set_bytes(curl, CURLOPT_SSLCERT_BLOB, tls->cert) &&
	       set_bytes(curl, CURLOPT_SSLKEY_BLOB, tls->key);
}

bool curl_tls_set(CURL *curl, const struct curl_tls *tls)
{
	return set_trust(curl, tls) && set_certificate(curl, tls);
}
