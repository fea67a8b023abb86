#include "auth/pki_impl.h"

#include <time.h>

#include "base/mem.h"

#define DAY_S (24 * 60 * 60)

static const struct {
	int nid;
	const char *value[3]; /* authority, server, agent; NULL: has none */
} extensions[] = {
	{ NID_basic_constraints, { "critical,CA:TRUE,pathlen:0", "critical,CA:FALSE", "critical,CA:FALSE" } },
	{ NID_key_usage, { "critical,keyCertSign,cRLSign", "critical,digitalSignature", "critical,digitalSignature" } },
	{ NID_ext_key_usage, { NULL, "serverAuth", "clientAuth" } },
	{ NID_subject_key_identifier, { "hash", "hash", "hash" } },
	{ NID_authority_key_identifier, { NULL, "keyid:always", "keyid:always" } },
};

/* At most 20 bytes and positive (RFC 5280 4.1.2.2): the first bit stays 0, the second is set so that no byte is lost. */
static bool set_serial(X509 *cert, const unsigned char serial[static PKI_SERIAL_BYTES])
{
	unsigned char bytes[PKI_SERIAL_BYTES];
	BIGNUM *n;
	bool ok;

	memcpy(bytes, serial, sizeof(bytes));
	bytes[0] = (bytes[0] & 0x3f) | 0x40;
	n = BN_bin2bn(bytes, sizeof(bytes), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
	BN_free(n);
	return ok;
}

int64_t pki_time_ms(const ASN1_TIME *time)
{
	struct tm tm = { 0 };

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

/* Nothing that an authority signed is worth anything after its own end. */
static bool set_times(X509 *cert, const struct pki_request *request, X509 *issuer, int64_t now_ms)
{
	time_t from = (time_t)(now_ms / 1000) - PKI_SKEW_S,
	       to = (time_t)(now_ms / 1000) + (time_t)request->days * DAY_S;

	if (issuer && pki_time_ms(X509_get0_notAfter(issuer)) / 1000 < to)
		to = (time_t)(pki_time_ms(X509_get0_notAfter(issuer)) / 1000);
	return ASN1_TIME_set(X509_getm_notBefore(cert), from) && ASN1_TIME_set(X509_getm_notAfter(cert), to);
}

static bool set_names(X509 *cert, const struct pki_request *request, X509 *issuer)
{
	X509_NAME *subject = X509_get_subject_name(cert);

	return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)request->name,
					  -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject) == 1;
}

static bool add_extensions(X509 *cert, enum pki_role role, X509 *issuer)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer ? issuer : cert, cert, NULL, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		const char *value = extensions[i].value[role];
		X509_EXTENSION *ext = value ? X509V3_EXT_nconf_nid(NULL, &ctx, extensions[i].nid, value) : NULL;
		bool ok = !value || (ext && X509_add_ext(cert, ext, -1) == 1);

		X509_EXTENSION_free(ext);
		if (!ok)
			return false;
	}
	return true;
}

static bool fill(X509 *cert, const struct pki_request *request, EVP_PKEY *key, X509 *issuer, const GENERAL_NAMES *names,
		 int64_t now_ms)
{
	return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert, request->serial) &&
	       set_times(cert, request, issuer, now_ms) && set_names(cert, request, issuer) &&
	       X509_set_pubkey(cert, key) == 1 && add_extensions(cert, request->role, issuer) &&
	       (!names || X509_add1_ext_i2d(cert, NID_subject_alt_name, (void *)names, 0, X509V3_ADD_APPEND) == 1);
}

enum err pki_cert(const struct pki_request *request, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int64_t now_ms,
		  struct why *why, X509 **ret_cert)
{
	GENERAL_NAMES *names = NULL;
	X509 *cert;
	enum err err = pki_name_check(request, why);

	if (err == E_OK && (request->days < 1 || request->days > PKI_DAYS_MAX))
		err = why_set(why, E_CONFIG, "%u days: 1 to %d are possible", request->days, PKI_DAYS_MAX);
	if (err == E_OK)
		err = pki_names(request, why, &names);
	if (err != E_OK)
		return err;
	cert = X509_new();
	if (!cert || !fill(cert, request, key, issuer, names, now_ms) ||
	    X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) <= 0) {
		X509_free(cert);
		cert = NULL;
		err = why_set(why, E_NOMEM, "make a certificate");
	}
	GENERAL_NAMES_free(names);
	if (err == E_OK)
		*ret_cert = cert;
	return err;
}
