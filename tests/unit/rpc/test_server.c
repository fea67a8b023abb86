/* A server and a peer that writes its frames itself. */
#include "rpc/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pair.h"
#include "rpc/conn.h"

#define PATIENCE_MS     60000

/* The preface, SETTINGS, and the acknowledgement of the server's, which it need not wait for. */
#define HELLO           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0"

/* POST http, a path of 7 bytes, content-type: 33 bytes (RFC 7541, no field is indexed). With a deadline of 1 ms: 50. */
#define FIELDS_OF(path) "\x83\x86\4\7" path "\1\1x\17\20\20application/grpc"
#define TIMED_FIELDS_OF(path) \
	FIELDS_OF(path)       \
	"\0\14grpc-timeout\2" \
	"1m"
#define FIELDS      TIMED_FIELDS_OF("/t/Hang")

/* Of stream 1: the header without its end, and its end, which is empty; and all of it at once. */
#define HEAD_BEGINS "\0\0\x32\1\0\0\0\0\1" FIELDS
#define HEAD_ENDS   "\0\0\0\x9\4\0\0\0\1"
#define PING                  \
	"\0\0\x8\6\0\0\0\0\0" \
	"whatever"
#define HEAD "\0\0\x32\1\4\0\0\0\1" FIELDS

static struct pair pair;

struct raw {
	int fd;
	size_t heads, datas, resets, pongs; /* frames that came: HEADERS, DATA, RST_STREAM, PING */
	bool over;                          /* the server has said its last word */
	size_t n;
	unsigned char bytes[65536]; /* all that came */
};

static struct raw raw;

static void dial(const struct rpc_limits *limits)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };

	pair.metrics = metrics_new();
	assert_true(pair_start(&pair, limits, NULL));
	to.sin_port = htons(pair.port);
	raw = (struct raw){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_true(raw.fd >= 0);
	assert_int_equal(0, connect(raw.fd, (struct sockaddr *)&to, sizeof(to)));
}

static void say(struct str bytes)
{
	assert_int_equal((ssize_t)bytes.n, send(raw.fd, bytes.p, bytes.n, MSG_NOSIGNAL));
}

static void hear(void)
{
	ssize_t n = recv(raw.fd, raw.bytes + raw.n, sizeof(raw.bytes) - raw.n, MSG_DONTWAIT);

	raw.n += n > 0 ? (size_t)n : 0;
	raw.over |= n == 0;
	raw.heads = raw.datas = raw.resets = raw.pongs = 0;
	for (size_t at = 0; at + 9 <= raw.n;) {
		const unsigned char *p = raw.bytes + at;

		raw.heads += p[3] == NGHTTP2_HEADERS;
		raw.datas += p[3] == NGHTTP2_DATA;
		raw.resets += p[3] == NGHTTP2_RST_STREAM;
		raw.pongs += p[3] == NGHTTP2_PING;
		at += 9 + ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]);
	}
}

/* One turn of the loop; what came of it was heard. */
static void turn(void)
{
	struct pollfd fd = { .fd = raw.fd, .events = POLLIN };

	uv_run(&pair.loop.uv, UV_RUN_NOWAIT);
	(void)poll(&fd, 1, 1);
	hear();
}

static void turn_for(uint64_t ms)
{
	uint64_t end_ms = clock_mono_ms() + ms;

	while (clock_mono_ms() < end_ms)
		turn();
	turn();
}

static void turn_until(bool (*done)(void))
{
	uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;

	while (!done()) {
		assert_true(clock_mono_ms() < end_ms);
		turn();
	}
}

static void hang_up(void)
{
	close(raw.fd);
	pair_end(&pair);
}

/* The page has this line. */
static bool has_metric(const char *line)
{
	struct buf page = { 0 };
	bool has;

	metrics_write(pair.metrics, /* openmetrics= */ false, &page);
	has = strstr(buf_cstr(&page), line) != NULL;
	buf_release(&page);
	return has;
}

/* ---- heads ---------------------------------------------------------------------------------------------------------- */

static bool was_answered(void)
{
	return raw.heads == 1 && pair_logged(&pair, "cancel ");
}

static void a_deadline_begins_when_the_head_is_complete(void **state)
{
	(void)state;
	dial(NULL);
	say(STR(HELLO HEAD_BEGINS));
	turn_for(50);
	assert_int_equal(0, raw.heads);
	say(STR(HEAD_ENDS));
	turn_until(was_answered);
	assert_true(has_metric("grpc_server_handled_total{grpc_type=\"client_stream\",grpc_service=\"t\","
			       "grpc_method=\"Hang\",grpc_code=\"DeadlineExceeded\"} 1\n"));
	hang_up();
}

static bool is_greeted(void)
{
	return raw.n > 0;
}

static bool is_heard(void)
{
	return raw.over || raw.pongs == 1;
}

/* Of the allocations for a call the n-th fails. True: it was reset, and its connection goes on. */
static bool is_reset_alone(const struct rpc_limits *limits, long n)
{
	dial(limits);
	say(STR(HELLO));
	turn_until(is_greeted);
	mem_fail_at(n);
	say(STR(HEAD PING));
	turn_until(is_heard);
	mem_fail_at(0);
	return !raw.over && raw.heads == 0 && raw.resets == 1;
}

/* Its end is not waited for: it has come. */
static void a_head_for_which_there_is_no_memory_does_not_end_the_connection_later(void **state)
{
	struct rpc_limits limits = rpc_limits_default();
	unsigned alone = 0;

	(void)state;
	limits.head_ms = 100;
	for (long n = 1; n <= 30; n++) {
		if (is_reset_alone(&limits, n)) {
			alone++;
			turn_for(2 * limits.head_ms);
		}
		assert_true(
			has_metric("holdfast_rpc_connections_ended_total{side=\"server\",reason=\"head_time\"} 0\n"));
		hang_up();
	}
	assert_in_range(alone, 1, 30);
}

/* SETTINGS with windows of 0; a call that is answered with more than the queue holds; the head of another without its end. */
#define SETTINGS_SHUT "\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0"
#define FULL_CALL     "\0\0\x21\1\4\0\0\0\1" FIELDS_OF("/t/Full") "\0\0\5\0\1\0\0\0\1\0\0\0\0\0"
#define OTHER_BEGINS  "\0\0\x21\1\0\0\0\0\3" FIELDS_OF("/t/Hang")

#define OTHER_ENDS    "\0\0\0\x9\4\0\0\0\3"

static bool is_answered(void)
{
	return raw.over || raw.heads == 1;
}

/* Nobody knows its method yet. */
static void a_head_that_is_coming_while_another_call_waits_for_room_is_not_asked_for_its_method(void **state)
{
	(void)state;
	dial(NULL);
	say(STR(HELLO SETTINGS_SHUT FULL_CALL OTHER_BEGINS));
	turn_until(is_answered);
	say(STR(OTHER_ENDS PING));
	turn_until(is_heard);
	assert_false(raw.over);
	assert_in_range(pair.filled, 1, SIZE_MAX);
	hang_up();
}

#define TIMED_FULL_CALL "\0\0\x32\1\4\0\0\0\1" TIMED_FIELDS_OF("/t/Full") "\0\0\5\0\1\0\0\0\1\0\0\0\0\0"

static bool is_told_the_end(void)
{
	return raw.over || raw.heads == 2;
}

/* A status is no DATA: no window holds it (RFC 9113 5.2.1). Else the stream stayed for as long as the client likes. */
static void a_deadline_is_said_to_a_client_that_takes_no_data(void **state)
{
	(void)state;
	dial(NULL);
	say(STR(HELLO SETTINGS_SHUT TIMED_FULL_CALL));
	turn_until(is_told_the_end);
	say(STR(PING));
	turn_until(is_heard);
	assert_false(raw.over);
	assert_int_equal(0, raw.resets);
	assert_int_equal(0, raw.datas);
	assert_true(pair_logged(&pair, "cancel "));
	hang_up();
}

/* A call whose one message makes the handler pause, its end, and a reset that names no error. */
#define PAUSED_CALL "\0\0\x21\1\4\0\0\0\1" FIELDS_OF("/t/Wait") "\0\0\5\0\1\0\0\0\1\0\0\0\0\0"
#define RESET_OK    "\0\0\4\3\0\0\0\0\1\0\0\0\0"

/* There would be no end to those that wait: their streams are closed, and no limit counts them. */
static void a_paused_call_that_is_reset_is_cancelled_whatever_the_reset_says(void **state)
{
	(void)state;
	dial(NULL);
	say(STR(HELLO PAUSED_CALL RESET_OK PING));
	turn_until(is_heard);
	assert_true(pair_logged(&pair, "cancel "));
	hang_up();
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

static uint64_t stopped_ms;

static void on_stopped(void *ctx)
{
	(void)ctx;
	pair.server = NULL;
	stopped_ms = pair.loop.now_ms;
}

static bool is_stopped(void)
{
	return !pair.server;
}

/* The timer of the handshake runs on while nothing else is due. */
static void a_peer_has_its_moment_to_see_why_whatever_was_due_before(void **state)
{
	struct rpc_limits limits = rpc_limits_default();
	uint64_t begun_ms;

	(void)state;
	limits.handshake_ms = 100;
	dial(&limits);
	say(STR(HELLO));
	turn_until(is_greeted);
	turn_for(10);
	begun_ms = pair.loop.now_ms;
	rpc_server_stop(pair.server, /* now= */ true, on_stopped, NULL);
	turn_until(is_stopped);
	assert_true(stopped_ms - begun_ms >= RPC_LINGER_MS);
	hang_up();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deadline_begins_when_the_head_is_complete),
		cmocka_unit_test(a_head_for_which_there_is_no_memory_does_not_end_the_connection_later),
		cmocka_unit_test(a_head_that_is_coming_while_another_call_waits_for_room_is_not_asked_for_its_method),
		cmocka_unit_test(a_deadline_is_said_to_a_client_that_takes_no_data),
		cmocka_unit_test(a_paused_call_that_is_reset_is_cancelled_whatever_the_reset_says),
		cmocka_unit_test(a_peer_has_its_moment_to_see_why_whatever_was_due_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
