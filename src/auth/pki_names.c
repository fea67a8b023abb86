#include <arpa/inet.h>

#include "auth/agent.h"
#include "auth/pki_impl.h"
#include "base/mem.h"

#define DNS_MAX         253
#define URI_MAX         1024
#define COMMON_NAME_MAX 64 /* X.520 */

/* A wildcard may stand for the first label. The last one is no number (RFC 1123 2.1): that is a mistyped address. */
static bool is_dns(struct str s)
{
	struct str rest = str_starts(s, STR("*.")) ? str_sub(s, 2, s.n) : s;

	if (s.n == 0 || s.n > DNS_MAX || rest.n == 0 || rest.p[rest.n - 1] == '.')
		return false;
	while (rest.n) {
		struct str label = str_cut(&rest, '.');
		uint64_t number;
		char lower[64];

		if (label.n == 0 || label.n >= sizeof(lower) || (!rest.n && str_to_u64(label, UINT64_MAX, &number)))
			return false;
		for (size_t i = 0; i < label.n; i++)
			lower[i] = label.p[i] >= 'A' && label.p[i] <= 'Z' ? (char)(label.p[i] - 'A' + 'a') : label.p[i];
		if (!agent_name_ok((struct str){ lower, label.n }))
			return false;
	}
	return true;
}

/* The bytes of an address: 4, 16, or 0 when it is none. */
static size_t read_ip(struct str s, unsigned char ret_bytes[static 16])
{
	char text[INET6_ADDRSTRLEN];

	if (!s.n || s.n >= sizeof(text))
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET, text, ret_bytes) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ret_bytes) == 1 ? 16 : 0;
}

/* A letter, then letters, digits, '+', '-' and '.' (RFC 3986 3.1). */
static bool is_scheme(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool letter = (s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z';

		if (!letter && (i == 0 || !((s.p[i] >= '0' && s.p[i] <= '9') || strchr("+-.", s.p[i]))))
			return false;
	}
	return s.n > 0;
}

/* A scheme, a colon, and characters that may stand in a URI (RFC 3986 2). */
static bool is_uri(struct str s)
{
	size_t colon = str_find(s, ':');

	if (!is_scheme(str_sub(s, 0, colon)) || colon + 1 >= s.n || s.n > URI_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"<>\\^`{|}", s.p[i]))
			return false;
	return true;
}

static int type_of(struct str *name)
{
	static const struct {
		const char *word;
		int type;
	} words[] = { { "dns:", GEN_DNS }, { "ip:", GEN_IPADD }, { "uri:", GEN_URI } };
	unsigned char bytes[16];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_starts_nocase(*name, str_of(words[i].word))) {
			*name = str_sub(*name, strlen(words[i].word), name->n);
			return words[i].type;
		}
	}
	if (read_ip(*name, bytes))
		return GEN_IPADD;
	return str_find(*name, ':') < name->n ? GEN_URI : GEN_DNS;
}

static enum err add(GENERAL_NAMES *names, int type, const void *p, size_t n, struct why *why)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

	if (!name || !value || ASN1_STRING_set(value, p, (int)n) != 1 || sk_GENERAL_NAME_push(names, name) <= 0) {
		ASN1_STRING_free(value);
		GENERAL_NAME_free(name);
		return why_set(why, E_NOMEM, "write names");
	}
	GENERAL_NAME_set0_value(name, type, value);
	return E_OK;
}

/* One --san. */
static enum err add_san(GENERAL_NAMES *names, const char *text, struct why *why)
{
	struct str name = str_of(text);
	int type = type_of(&name);
	unsigned char bytes[16];
	size_t n;

	if (type == GEN_IPADD && (n = read_ip(name, bytes)))
		return add(names, type, bytes, n, why);
	if ((type == GEN_DNS && is_dns(name)) || (type == GEN_URI && is_uri(name)))
		return add(names, type, name.p, name.n, why);
	return why_set(why, E_CONFIG, "'%s' is no DNS name, no address and no URI", text);
}

enum err pki_name_check(const struct pki_request *request, struct why *why)
{
	struct str name = str_of(request->name);
	unsigned char bytes[16];

	if (request->role == PKI_AGENT && !agent_name_ok(name))
		return why_set(why, E_CONFIG,
			       "'%s' is no name of an agent: 1 to 63 lower-case letters, digits and '-' inside",
			       request->name);
	if (request->role == PKI_SERVER && !is_dns(name) && !read_ip(name, bytes))
		return why_set(why, E_CONFIG, "'%s' is no DNS name and no address", request->name);
	if (name.n == 0 || name.n > COMMON_NAME_MAX || !str_is_utf8(name))
		return why_set(why, E_CONFIG, "'%s' is no common name: 1 to %d bytes of UTF-8", request->name,
			       COMMON_NAME_MAX);
	return E_OK;
}

/* NULL in `ret_names`: it has none. */
static enum err names_of(const char *path, struct why *why, GENERAL_NAMES **ret_names)
{
	X509 *cert;
	enum err err = pki_read_cert(&(struct pem){ path }, why, &cert);

	if (err != E_OK)
		return err;
	*ret_names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	X509_free(cert);
	return E_OK;
}

static enum err make_names(const struct pki_request *request, struct why *why, GENERAL_NAMES **ret_names)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	enum err err = names ? E_OK : why_set(why, E_NOMEM, "write names");

	if (err == E_OK && request->role == PKI_SERVER)
		err = add_san(names, request->name, why);
	for (size_t i = 0; i < request->san_count && err == E_OK; i++)
		err = add_san(names, request->sans[i], why);
	if (err != E_OK || sk_GENERAL_NAME_num(names) == 0) {
		GENERAL_NAMES_free(names);
		names = NULL;
	}
	if (err == E_OK)
		*ret_names = names;
	return err;
}

enum err pki_names(const struct pki_request *request, struct why *why, GENERAL_NAMES **ret_names)
{
	GENERAL_NAMES *names = NULL;
	enum err err = E_OK;

	if (request->renews && request->san_count == 0)
		err = names_of(request->renews, why, &names);
	if (err == E_OK && !names)
		err = make_names(request, why, &names);
	if (err == E_OK)
		*ret_names = names;
	return err;
}
