/* Dead letters that are tried again while the gateway ends: a real store and server, a scripted bus. */
#include "../store/fixture.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/dead_api.h"
#include "net/listen.h"

#define LETTERS 3

struct rig {
	struct fixture *f;
	struct loop loop;
	struct bus bus;
	struct dead_api api;
	struct http_server *server;
	int client;
	struct bus_publish *held;
	bool holds; /* answers are held back */
	bool closed;
	size_t published;
	struct loop_task pause;
	bool pausing; /* posted */
};

static struct rig rig;

static void run_pause(struct loop_task *task)
{
	(void)task;
	rig.pausing = false;
	loop_stop(&rig.loop);
}

/* The loop ends when all that this publish has brought about is done, but what other threads say. */
static void publish(struct bus *bus, struct bus_publish *p)
{
	(void)bus;
	assert_false(rig.closed);
	rig.published++;
	p->err = E_OK;
	if (rig.holds)
		rig.held = p;
	else
		p->on_done(p);
	if (!rig.pausing)
		loop_post(&rig.loop, &rig.pause);
	rig.pausing = true;
}

static const struct bus_ops ops = { .kind = "script", .publish = publish };

static void on_head(void *ctx, struct http_request *r)
{
	(void)ctx;
	r->user = NULL;
	dead_api_retry(&rig.api, r);
}

static void on_body(void *ctx, struct http_request *r, struct str chunk)
{
	(void)ctx, (void)r, (void)chunk;
}

static void on_end(void *ctx, struct http_request *r)
{
	(void)ctx, (void)r;
}

static void on_close(void *ctx, struct http_request *r)
{
	struct admin_call *call = r->user;

	(void)ctx;
	if (call)
		call->on_closed(call);
}

static void serve(int fd)
{
	const struct http_limits limits = { .head_max = 4096,
					    .conns_max = 10,
					    .head_ms = 60000,
					    .body_ms = 60000,
					    .idle_ms = 60000,
					    .write_ms = 60000 };
	const struct http_handler handler = {
		.on_head = on_head, .on_body = on_body, .on_end = on_end, .on_close = on_close
	};

	assert_int_equal(http_server_start(&rig.loop, fd, NULL, &limits, &handler, NULL, &rig.server), E_OK);
}

static void ask(uint16_t port)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr = { htonl(INADDR_LOOPBACK) } };
	const struct str request = STR("POST /dead/retry?pos=all HTTP/1.1\r\nHost: here\r\n\r\n");

	rig.client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(rig.client, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(write(rig.client, request.p, request.n), request.n);
}

/* A retry of all, until the first letter has gone to the bus, and has been taken unless it holds. */
static void begin(bool holds)
{
	int fd = -1;

	rig = (struct rig){ .f = fixture_new(), .bus = { &ops }, .holds = holds, .pause = { .run = run_pause } };
	assert_int_equal(fixture_open(rig.f), E_OK);
	for (uint64_t pos = 1; pos <= LETTERS; pos++) {
		assert_int_equal(fixture_put_one(rig.f, "id", NULL, NULL, NULL), E_OK);
		assert_int_equal(fixture_dead(rig.f, pos, "bus", "too large"), E_OK);
	}
	assert_int_equal(loop_init(&rig.loop, NULL), E_OK);
	rig.api = (struct dead_api){
		.loop = &rig.loop, .store = rig.f->store, .bus = &rig.bus, .bus_name = "bus", .dir = rig.f->dir
	};
	assert_int_equal(listen_open(STR("127.0.0.1"), 0, false, NULL, &fd), E_OK);
	ask(listen_port(fd));
	serve(fd);
	loop_run(&rig.loop);
}

/* In the order of the gateway's end: requests are cut, the bus answers and is closed, the store is closed, the loop is emptied. */
static void end(void)
{
	dead_api_stop(&rig.api);
	http_server_stop(rig.server, /* now= */ true, NULL, NULL);
	if (rig.held)
		rig.held->on_done(rig.held);
	rig.closed = true;
	fixture_close(rig.f);
	loop_release(&rig.loop);
	close(rig.client);
}

static bool count_letter(void *ctx, const struct store_dead_row *row)
{
	(void)row;
	++*(size_t *)ctx;
	return true;
}

static size_t letters_left(void)
{
	struct store_reader *reader = NULL;
	size_t n = 0;

	assert_int_equal(store_reader_open(rig.f->dir, NULL, &reader), E_OK);
	assert_int_equal(store_read_dead(reader, 0, count_letter, &n, NULL), E_OK);
	store_reader_close(reader);
	return n;
}

static void what_the_bus_takes_at_the_end_asks_nothing_of_a_closed_store(void **state)
{
	(void)state;
	begin(/* holds= */ true);
	end();
	assert_int_equal(rig.published, 1);
	assert_int_equal(letters_left(), LETTERS);
	fixture_free(rig.f);
}

static void what_the_store_forgets_at_the_end_asks_nothing_of_a_closed_bus(void **state)
{
	(void)state;
	begin(/* holds= */ false);
	end();
	assert_int_equal(rig.published, 2); /* which did not wait for the first to be forgotten */
	assert_int_equal(letters_left(), LETTERS - 1);
	fixture_free(rig.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_bus_takes_at_the_end_asks_nothing_of_a_closed_store),
		cmocka_unit_test(what_the_store_forgets_at_the_end_asks_nothing_of_a_closed_bus),
	};

	fixture_quiet();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
