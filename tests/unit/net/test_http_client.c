#include "net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "fetcher.h"
#include "site.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct site site;
static struct fetcher fetcher;

static void start_at(uint16_t port, const struct http_client_options *options)
{
	char origin[64];

	(void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", port);
	fetcher_start(&fetcher, origin, options);
}

static int open_site(void **state)
{
	struct http_limits limits = site_limits();

	(void)state;
	site_start(&site, &limits, NULL);
	start_at(site.port, NULL);
	return 0;
}

static int close_site(void **state)
{
	(void)state;
	fetcher_end(&fetcher);
	site_end(&site);
	return 0;
}

static void an_answer_is_kept_whole(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/a/b?c=d", E_OK, "200 GET /a/b 0\n");
	visit_expect(&fetcher, "/empty", E_OK, "204 ");
}

static void an_answer_of_any_status_is_one(void **state)
{
	(void)state;
	visit_expect(&fetcher, "/refuse", E_OK, "401 GET /refuse 0\n");
}

static void a_body_is_sent(void **state)
{
	char *body = mem_alloc(3 << 20);
	struct visit v = visit_of(&fetcher, "/a");
	char got[64];

	(void)state;
	assert_non_null(body);
	v.fetch.method = "PATCH";
	v.fetch.content_type = "application/merge-patch+json";
	v.fetch.body = (struct str){ body, 1 << 20 };
	assert_int_equal(E_OK, visit_once(&v, got, sizeof(got)));
	assert_string_equal("200 PATCH /a 1048576\n", got);
	mem_free(body);
}

#define SIMPLE(name)  cmocka_unit_test(name)
#define AT_SITE(name) cmocka_unit_test_setup_teardown(name, open_site, close_site)

int main(void)
{
	const struct CMUnitTest tests[] = {
		AT_SITE(an_answer_is_kept_whole),
		AT_SITE(an_answer_of_any_status_is_one),
		AT_SITE(a_body_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
