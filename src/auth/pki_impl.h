/*
 * pki_impl.h -- what the parts of pki share. Internal.
 */
#pragma once

#include <openssl/x509v3.h>

#include "auth/pki.h"

/* ---- pki_names.c ---- */

/* The names of a certificate; NULL in `ret_names`: it has none. Free with GENERAL_NAMES_free(). */
enum err pki_names(const struct pki_request *request, struct why *why, GENERAL_NAMES **ret_names);

/* May this be a certificate's common name? */
enum err pki_name_check(const struct pki_request *request, struct why *why);

/* ---- pki_cert.c ---- */

/* Without an `issuer` it signs itself. Free with X509_free(). */
enum err pki_cert(const struct pki_request *request, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int64_t now_ms,
		  struct why *why, X509 **ret_cert);

/* ms since 1970; 0: it is no time. */
int64_t pki_time_ms(const ASN1_TIME *time);

/* ---- pki_pem.c ---- */

/* Appended as PEM. E_NOMEM */
enum err pki_write_cert(X509 *cert, struct buf *ret_pem, struct why *why);
enum err pki_write_key(EVP_PKEY *key, struct buf *ret_pem, struct why *why);
/*
 * The only key, or the first certificate, of a PEM text; `path` is for the story. E_CONFIG: there is none, or it is too large;
 * E_NOT_FOUND. Free with EVP_PKEY_free(), X509_free().
 */
enum err pki_read_key(struct str pem, const char *path, struct why *why, EVP_PKEY **ret_key);
enum err pki_read_key_pem(const struct pem *from, struct why *why, EVP_PKEY **ret_key);
enum err pki_read_cert(const struct pem *from, struct why *why, X509 **ret_cert);
