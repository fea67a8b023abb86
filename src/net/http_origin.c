#include "net/http_origin.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/curl_tls.h"

#define CONNECT_MS 10000L
#define DEAD_MS    30000 /* a peer that is silently gone is noticed by then, whether anything was sent or not */
#define IDLE_S     15L   /* before the first probe */
#define PROBE_S    5L

/* ---- what every request has in common ------------------------------------------------------------------------------------ */

/* TCP_USER_TIMEOUT bounds the probes, too; without it what was sent last is repeated for a quarter of an hour. */
static int on_socket_made(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	const unsigned dead_ms = DEAD_MS;

	(void)ctx;
	(void)purpose;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof(dead_ms));
	return CURL_SOCKOPT_OK;
}

static void set_connection(CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's head is not the server's */
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* else a cancel waits for the resolver, and the loop with it */
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, IDLE_S);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, PROBE_S);
	curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_socket_made);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "holdfast");
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
}

/* Plain HTTP does not say what it speaks before its first answer, and nobody is to wait for that of a watch. */
static void set_version(CURL *curl, bool tls)
{
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_PIPEWAIT, tls ? 1L : 0L);
}

static bool set_text(CURL *curl, CURLoption option, const char *text)
{
	return !text || curl_easy_setopt(curl, option, text) == CURLE_OK;
}

/* libcurl borrows it for as long as there are handles. */
static struct str keep(struct buf *copy, struct str bytes)
{
	buf_str(copy, bytes);
	return buf_view(copy);
}

static bool set_tls(struct http_origin *o, const struct http_client_options *options)
{
	const struct curl_tls tls = { .ca_file = options->ca_file,
				      .ca = keep(&o->ca, options->ca),
				      .cert_file = options->cert_file,
				      .cert = keep(&o->cert, options->cert),
				      .key_file = options->key_file,
				      .key = keep(&o->key, options->key),
				      .insecure = options->insecure };

	return o->ca.err == E_OK && o->cert.err == E_OK && o->key.err == E_OK && curl_tls_set(o->model, &tls);
}

/* NO_PROXY of the environment is about the proxy of the environment. */
static bool set_proxy(CURL *curl, const char *proxy)
{
	return !proxy || (set_text(curl, CURLOPT_PROXY, proxy) && set_text(curl, CURLOPT_NOPROXY, ""));
}

/* ---- where it is ---------------------------------------------------------------------------------------------------------- */

static void url_freep(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void part_freep(char **part)
{
	curl_free(*part);
}

static bool has(CURLU *url, CURLUPart part)
{
	CLEANUP(part_freep) char *text = NULL;

	return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

/*
 * libcurl checks the certificate for the name in the URL, and offers that to the server. So the URL gets the name that is in the
 * certificate, and libcurl is told where to connect to, and what to put into Host.
 */
static enum err rename_host(struct http_origin *o, CURLU *url, const char *name)
{
	CLEANUP(part_freep) char *host = NULL;
	CLEANUP(part_freep) char *port = NULL;
	struct buf to = { 0 }, bracketed = { 0 };
	bool ok;

	if (curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return E_NOMEM;
	(void)curl_url_get(url, CURLUPART_PORT, &port, 0);
	buf_addf(&o->host, port ? "Host: %s:%s" : "Host: %s", host, port);
	buf_addf(&to, "::%s:%s", host, port ? port : "");
	buf_addf(&bracketed, strchr(name, ':') ? "[%s]" : "%s", name);
	if (buf_cstr(&to))
		o->connect_to = curl_slist_append(NULL, to.p);
	ok = o->connect_to && buf_cstr(&o->host) && buf_cstr(&bracketed) &&
	     curl_easy_setopt(o->model, CURLOPT_CONNECT_TO, o->connect_to) == CURLE_OK &&
	     curl_url_set(url, CURLUPART_HOST, bracketed.p, 0) == CURLUE_OK;
	buf_release(&to);
	buf_release(&bracketed);
	return ok ? E_OK : E_NOMEM;
}

static enum err set_place(struct http_origin *o, const struct http_client_options *options, struct why *why)
{
	CLEANUP(url_freep) CURLU *url = curl_url();
	CLEANUP(part_freep) char *text = NULL;
	CLEANUP(part_freep) char *scheme = NULL;
	bool tls;

	if (!url)
		return E_NOMEM;
	/* Not what it is: there may be a password in it. */
	if (curl_url_set(url, CURLUPART_URL, options->origin, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK || has(url, CURLUPART_USER) ||
	    has(url, CURLUPART_PASSWORD) || has(url, CURLUPART_QUERY) || has(url, CURLUPART_FRAGMENT))
		return why_set(why, E_CONFIG, "a server's address is like https://host:port");
	tls = strcmp(scheme, "https") == 0;
	if (!tls && strcmp(scheme, "http") != 0)
		return why_set(why, E_CONFIG, "a server's address begins with https:// or http://");
	set_version(o->model, tls);
	if (tls && options->server_name && rename_host(o, url, options->server_name) != E_OK)
		return E_NOMEM;
	if (curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
		return E_NOMEM;
	buf_str(&o->base, str_sub(str_of(text), 0, strlen(text) - str_ends(str_of(text), STR("/"))));
	return o->base.err;
}

enum err http_origin_init(struct http_origin *o, const struct http_client_options *options, struct why *why)
{
	enum err err;

	o->model = curl_easy_init();
	if (!o->model)
		return why_set(why, E_NOMEM, "no memory");
	set_connection(o->model);
	err = set_place(o, options, why);
	if (err == E_OK && !(set_tls(o, options) && set_proxy(o->model, options->proxy)))
		err = E_NOMEM;
	return err == E_NOMEM ? why_set(why, err, "no memory") : err;
}

void http_origin_release(struct http_origin *o)
{
	curl_easy_cleanup(o->model);
	curl_slist_free_all(o->connect_to);
	buf_release(&o->base);
	buf_release(&o->host);
	buf_release(&o->ca);
	buf_release(&o->cert);
	buf_wipe(&o->key);
}

/* ---- one request ----------------------------------------------------------------------------------------------------------- */

/* Nothing in it would end its line in a request. NULL: yes. */
static bool fits_a_line(const char *text)
{
	for (; text && *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool add_field(struct http_fetch *f, const char *field)
{
	struct curl_slist *longer = curl_slist_append(f->fields, field);

	if (longer)
		f->fields = longer;
	return longer != NULL;
}

/* Without "Expect:" a body of 1 MB waits a second for a server's leave. */
static bool set_fields(const struct http_origin *o, struct http_fetch *f)
{
	struct buf type = { 0 };
	bool ok;

	buf_lit(&type, "Content-Type:"); /* alone it takes away libcurl's own idea */
	if (f->content_type)
		buf_addf(&type, " %s", f->content_type);
	ok = buf_cstr(&type) && (!f->body.p || add_field(f, type.p)) && (!o->host.n || add_field(f, o->host.p)) &&
	     add_field(f, "Expect:") && curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, f->fields) == CURLE_OK;
	buf_release(&type);
	return ok;
}

static bool set_url(const struct http_origin *o, struct http_fetch *f)
{
	struct buf url = { 0 };
	bool ok;

	buf_str(&url, buf_view(&o->base));
	buf_str(&url, str_of(f->target));
	ok = buf_cstr(&url) && set_text(f->easy, CURLOPT_URL, url.p);
	buf_release(&url);
	return ok;
}

static void set_body(struct http_fetch *f)
{
	if (f->body.p) {
		curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->body.n);
		curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS, f->body.p);
	} else if (strcmp(f->method, "HEAD") == 0) {
		curl_easy_setopt(f->easy, CURLOPT_NOBODY, 1L);
	}
}

static bool set_bearer(struct http_fetch *f)
{
	if (!f->bearer)
		return true;
	curl_easy_setopt(f->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
	return set_text(f->easy, CURLOPT_XOAUTH2_BEARER, f->bearer);
}

enum err http_origin_ask(const struct http_origin *o, struct http_fetch *f)
{
	if (f->target[0] != '/' || !fits_a_line(f->target) || !fits_a_line(f->bearer) || !fits_a_line(f->content_type))
		return why_set(&f->why, E_MALFORMED, "a request with bytes in it that cannot be sent");
	f->easy = curl_easy_duphandle(o->model);
	if (!f->easy)
		return why_set(&f->why, E_NOMEM, "no memory for a request");
	set_body(f);
	if (!set_url(o, f) || !set_text(f->easy, CURLOPT_CUSTOMREQUEST, f->method) || !set_bearer(f) ||
	    !set_fields(o, f))
		return why_set(&f->why, E_NOMEM, "no memory for a request");
	return E_OK;
}
