#include "net/tls_peer.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/mem.h"

/* The types with a name of their own, in the order in which they are printed. */
static const struct type {
	int nid;
	const char *name;
	bool last_only; /* of several the last one counts */
} types[] = {
	{ NID_serialNumber, "SERIALNUMBER", true },
	{ NID_commonName, "CN", true },
	{ NID_postalCode, "POSTALCODE", false },
	{ NID_streetAddress, "STREET", false },
	{ NID_stateOrProvinceName, "ST", false },
	{ NID_localityName, "L", false },
	{ NID_organizationalUnitName, "OU", false },
	{ NID_organizationName, "O", false },
	{ NID_countryName, "C", false },
};

/* A value as UTF-8; false: no text, or no memory. Free `*ret` with OPENSSL_free(). */
static bool text_of(const X509_NAME_ENTRY *entry, unsigned char **ret, struct str *ret_text)
{
	int n = ASN1_STRING_to_UTF8(ret, X509_NAME_ENTRY_get_data(entry));

	*ret_text = (struct str){ n < 0 ? NULL : (const char *)*ret, n < 0 ? 0 : (size_t)n };
	return n >= 0;
}

/* RFC 2253 2.4. */
static void put_escaped(struct buf *b, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool at_end = i == 0 || i == text.n - 1;

		if (strchr(",+\"\\<>;", c) ? c != '\0' : (c == ' ' && at_end) || (c == '#' && i == 0))
			buf_char(b, '\\');
		buf_char(b, c);
	}
}

/* What PrintableString may hold, as Go decides when it writes a value anew. */
static bool is_printable(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(" '()+,-./:=?", c))))
			return false;
	}
	return true;
}

static void put_hex(struct buf *b, unsigned byte)
{
	buf_addf(b, "%02x", byte);
}

/* A value of a type without a name: its DER in hex. */
static void put_der(struct buf *b, struct str text)
{
	put_hex(b, is_printable(text) ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING);
	if (text.n > 255) {
		put_hex(b, 0x82);
		put_hex(b, (unsigned)text.n >> 8 & 255);
	} else if (text.n > 127) {
		put_hex(b, 0x81);
	}
	put_hex(b, (unsigned)text.n & 255);
	for (size_t i = 0; i < text.n; i++)
		put_hex(b, (unsigned char)text.p[i]);
}

static bool put_value(struct buf *b, const X509_NAME_ENTRY *entry, bool named)
{
	unsigned char *p = NULL;
	struct str text;

	if (!text_of(entry, &p, &text))
		return false;
	if (named)
		put_escaped(b, text);
	else
		put_der(b, text);
	OPENSSL_free(p);
	return true;
}

/* All values of one type, joined by '+'. */
static bool put_type(struct buf *b, const X509_NAME *name, const struct type *type)
{
	int last = -1;
	int at = -1;
	bool first = true;

	while ((at = X509_NAME_get_index_by_NID(name, type->nid, at)) >= 0)
		last = at;
	for (int i = 0; i <= last; i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);

		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) != type->nid || (type->last_only && i != last))
			continue;
		if (b->n)
			buf_char(b, first ? ',' : '+');
		buf_addf(b, "%s=", type->name);
		if (!put_value(b, entry, true))
			return false;
		first = false;
	}
	return true;
}

static bool is_named(const X509_NAME_ENTRY *entry)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == types[i].nid)
			return true;
	return false;
}

/* The other types, from the last to the first. */
static bool put_others(struct buf *b, const X509_NAME *name)
{
	for (int i = X509_NAME_entry_count(name) - 1; i >= 0; i--) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		char oid[80];

		if (is_named(entry))
			continue;
		if (OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1) <= 0)
			return false;
		if (b->n)
			buf_char(b, ',');
		buf_addf(b, "%s=#", oid);
		if (!put_value(b, entry, false))
			return false;
	}
	return true;
}

/* A terminated copy that holds no zero byte before its end. */
static enum err take_text(struct str text, char **ret_text)
{
	if (text.n && memchr(text.p, '\0', text.n))
		return E_MALFORMED;
	*ret_text = str_dup(text.n ? text : STR(""));
	return *ret_text ? E_OK : E_NOMEM;
}

static enum err read_subject(struct tls_peer *p, const X509_NAME *name)
{
	struct buf b = { 0 };
	bool ok = true;
	enum err err;

	for (size_t i = 0; i < ARRAY_LEN(types) && ok; i++)
		ok = put_type(&b, name, &types[i]);
	ok = ok && put_others(&b, name);
	err = ok ? b.err : E_MALFORMED;
	if (err == E_OK)
		err = take_text(buf_view(&b), &p->subject);
	buf_release(&b);
	return err;
}

static enum err read_common_name(struct tls_peer *p, const X509_NAME *name)
{
	unsigned char *utf8 = NULL;
	struct str text = { 0 };
	int last = -1;
	enum err err;

	for (int at = -1; (at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0;)
		last = at;
	if (last >= 0 && !text_of(X509_NAME_get_entry(name, last), &utf8, &text))
		return E_MALFORMED;
	err = take_text(text, &p->common_name);
	OPENSSL_free(utf8);
	return err;
}

static enum err add_uri(struct tls_peer *p, const GENERAL_NAME *name)
{
	const ASN1_STRING *value = name->d.uniformResourceIdentifier;
	struct str text = { (const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value) };
	enum err err = take_text(text, &p->uris[p->uri_count]);

	if (err == E_OK)
		p->uri_count++;
	return err;
}

static enum err read_uris(struct tls_peer *p, const X509 *cert)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int n = names ? sk_GENERAL_NAME_num(names) : 0;
	enum err err = E_OK;

	p->uris = n ? mem_array((size_t)n, sizeof(*p->uris)) : NULL;
	if (n && !p->uris)
		err = E_NOMEM;
	for (int i = 0; i < n && err == E_OK; i++)
		if (sk_GENERAL_NAME_value(names, i)->type == GEN_URI)
			err = add_uri(p, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	return err;
}

static enum err read_fingerprint(struct tls_peer *p, const X509 *cert)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n;

	if (X509_digest(cert, EVP_sha256(), digest, &n) != 1 || n * 2 >= sizeof(p->fingerprint))
		return E_NOMEM;
	for (unsigned i = 0; i < n; i++) {
		p->fingerprint[2 * i] = digits[digest[i] >> 4];
		p->fingerprint[2 * i + 1] = digits[digest[i] & 15];
	}
	return E_OK;
}

enum err tls_peer_read(struct tls_peer *ret_peer, const struct x509_st *cert)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	struct tls_peer p = { 0 };
	enum err err = read_subject(&p, name);

	if (err == E_OK)
		err = read_common_name(&p, name);
	if (err == E_OK)
		err = read_uris(&p, cert);
	if (err == E_OK)
		err = read_fingerprint(&p, cert);
	if (err == E_OK)
		*ret_peer = p;
	else
		tls_peer_release(&p);
	return err;
}

void tls_peer_release(struct tls_peer *p)
{
	mem_free(p->subject);
	mem_free(p->common_name);
	for (size_t i = 0; i < p->uri_count; i++)
		mem_free(p->uris[i]);
	mem_free(p->uris);
	*p = (struct tls_peer){ 0 };
}
