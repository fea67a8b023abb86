#include "net/acceptor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/listen.h"

/* An acceptor in the loop of this thread, which notes what comes. */
struct place {
	uv_prepare_t prepare;
	size_t turns; /* of the loop */
	struct acceptor acceptor;
	struct loop loop;
	struct loop_timer timer;
	uint16_t port;
	size_t count;
	size_t stop_after; /* connections; 0: never */
	int last;
	struct acceptor_peer peer; /* of the last one */
	bool closed;
};

static void on_connection(struct acceptor *a, int fd, const struct acceptor_peer *peer)
{
	struct place *p = CONTAINER_OF(a, struct place, acceptor);

	if (p->last >= 0)
		close(p->last);
	p->last = fd;
	p->peer = *peer;
	p->count++;
	if (p->count == p->stop_after)
		acceptor_stop(a);
}

static void on_closed(struct acceptor *a)
{
	CONTAINER_OF(a, struct place, acceptor)->closed = true;
}

static void on_due(struct loop_timer *timer)
{
	loop_stop(&CONTAINER_OF(timer, struct place, timer)->loop);
}

static void count_turn(uv_prepare_t *prepare)
{
	CONTAINER_OF(prepare, struct place, prepare)->turns++;
}

static void place_start_on(struct place *p, int fd)
{
	*p = (struct place){ .last = -1, .port = listen_port(fd) };
	assert_int_equal(E_OK, loop_init(&p->loop, NULL));
	uv_prepare_init(&p->loop.uv, &p->prepare);
	uv_prepare_start(&p->prepare, count_turn);
	p->acceptor.on_connection = on_connection;
	p->acceptor.on_closed = on_closed;
	p->timer.on_due = on_due;
	assert_int_equal(E_OK, acceptor_start(&p->acceptor, &p->loop, fd, NULL));
}

static void place_start_at(struct place *p, const char *host)
{
	int fd = -1;

	assert_int_equal(E_OK, listen_open(str_of(host), 0, false, NULL, &fd));
	place_start_on(p, fd);
}

static void place_start(struct place *p)
{
	place_start_at(p, "127.0.0.1");
}

/* The loop for this long. */
static void turn(struct place *p, uint64_t ms)
{
	assert_int_equal(E_OK, loop_timer_start(&p->loop, &p->timer, ms));
	loop_run(&p->loop);
}

static void turn_until(struct place *p, size_t count)
{
	for (int i = 0; i < 3000 && p->count < count; i++)
		turn(p, 20);
	assert_int_equal(count, p->count);
}

static void place_end(struct place *p)
{
	acceptor_stop(&p->acceptor);
	acceptor_stop(&p->acceptor);
	for (int i = 0; i < 100 && !p->closed; i++)
		turn(p, 1);
	assert_true(p->closed);
	if (p->last >= 0)
		close(p->last);
	uv_close((uv_handle_t *)&p->prepare, NULL);
	loop_release(&p->loop);
}

static int dial(const struct place *p)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_port = htons(p->port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(0, connect(fd, (const struct sockaddr *)&at, sizeof(at)));
	return fd;
}

static void what_comes_does_not_block_and_goes_to_no_child(void **state)
{
	struct place p;
	int fd;

	(void)state;
	place_start(&p);
	fd = dial(&p);
	turn_until(&p, 1);
	assert_true(fcntl(p.last, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p.last, F_GETFD) & FD_CLOEXEC);
	close(fd);
	place_end(&p);
}

/* Who a client at 127.0.0.1 is for a socket that listens on `host`. */
static void assert_local(const char *host)
{
	struct place p;
	int fd;

	place_start_at(&p, host);
	fd = dial(&p);
	turn_until(&p, 1);
	assert_string_equal("127.0.0.1", p.peer.address);
	assert_memory_equal("\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", p.peer.key, 16);
	close(fd);
	place_end(&p);
}

static void an_ipv4_client_is_the_same_on_a_socket_of_either_family(void **state)
{
	(void)state;
	assert_local("127.0.0.1");
	assert_local(""); /* ::ffff:127.0.0.1 */
}

static struct acceptor_peer peer_at(const char *address)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };
	struct sockaddr_storage storage = { 0 };

	assert_int_equal(1, inet_pton(AF_INET6, address, &from.sin6_addr));
	memcpy(&storage, &from, sizeof(from));
	return acceptor_peer_at(&storage);
}

/* Whoever has one of its addresses has all of them. */
static void a_network_of_ipv6_is_one_client(void **state)
{
	struct acceptor_peer one = peer_at("2001:db8:1:2::3"), other = peer_at("2001:db8:1:2:ffff::4"),
			     elsewhere = peer_at("2001:db8:1:3::3");

	(void)state;
	assert_string_equal("2001:db8:1:2::3", one.address);
	assert_memory_equal(one.key, other.key, sizeof(one.key));
	assert_memory_not_equal(one.key, elsewhere.key, sizeof(one.key));
	one = peer_at("::ffff:192.0.2.1");
	other = peer_at("::ffff:192.0.2.2");
	assert_string_equal("192.0.2.1", one.address);
	assert_memory_not_equal(one.key, other.key, sizeof(one.key));
}

static void a_client_of_a_unix_socket_has_no_address(void **state)
{
	const struct sockaddr at = { .sa_family = AF_UNIX }; /* the kernel gives it a name */
	const struct acceptor_peer nobody = { 0 };
	struct sockaddr_un name;
	socklen_t n = sizeof(name);
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct place p;

	(void)state;
	assert_int_equal(0, bind(listening, &at, sizeof(at.sa_family)));
	assert_int_equal(0, listen(listening, 1));
	assert_int_equal(0, getsockname(listening, (struct sockaddr *)&name, &n));
	place_start_on(&p, listening);
	assert_int_equal(0, connect(fd, (const struct sockaddr *)&name, n));
	turn_until(&p, 1);
	assert_memory_equal(&nobody, &p.peer, sizeof(nobody));
	close(fd);
	place_end(&p);
}

/* Every descriptor from here on is refused by the kernel. */
static struct rlimit allow_no_more(void)
{
	struct rlimit before, now;
	int next = dup(0);

	assert_true(next >= 0);
	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	now.rlim_cur = (rlim_t)next;
	assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &now));
	return before;
}

static void without_a_descriptor_the_loop_goes_on_and_looks_again(void **state)
{
	struct rlimit limit;
	struct place p;
	int fds[3];

	(void)state;
	place_start(&p);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial(&p);
	limit = allow_no_more();
	p.turns = 0;
	turn(&p, 300); /* comes back: timers run */
	assert_int_equal(0, p.count);
	assert_in_range(p.turns, 1, 50); /* it sleeps in between; slower than this machine there are fewer */
	setrlimit(RLIMIT_NOFILE, &limit);
	turn_until(&p, ARRAY_LEN(fds));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	place_end(&p);
}

static void a_stop_in_the_pause_is_a_stop(void **state)
{
	struct rlimit limit;
	struct place p;
	int fd;

	(void)state;
	place_start(&p);
	fd = dial(&p);
	limit = allow_no_more();
	turn(&p, 20);
	place_end(&p);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(0, p.count);
	close(fd);
}

static void after_a_stop_in_the_callback_nothing_more_comes(void **state)
{
	struct place p;
	int fds[5];

	(void)state;
	place_start(&p);
	p.stop_after = 2;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial(&p);
	turn_until(&p, 2);
	turn(&p, 50);
	assert_int_equal(2, p.count);
	place_end(&p);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void a_crowd_is_taken_in_several_turns(void **state)
{
	struct place p;
	int fds[150];

	(void)state;
	place_start(&p);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial(&p);
	turn_until(&p, ARRAY_LEN(fds));
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	place_end(&p);
}

static void who_has_connected_before_a_stop_can_be_taken(void **state)
{
	struct place p;
	int fds[150];

	(void)state;
	place_start(&p);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = dial(&p);
	acceptor_take_waiting(&p.acceptor);
	assert_int_equal(ARRAY_LEN(fds), p.count);
	place_end(&p);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}

static void a_descriptor_that_cannot_be_watched_is_closed(void **state)
{
	struct acceptor a = { .on_connection = on_connection, .on_closed = on_closed };
	struct why why = { 0 };
	struct loop loop;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(E_OK, loop_init(&loop, NULL));
	assert_int_equal(E_UNAVAILABLE, acceptor_start(&a, &loop, fd, &why));
	assert_non_null(strstr(why.text, "accept"));
	assert_int_equal(-1, fcntl(fd, F_GETFD));
	assert_int_equal(EBADF, errno);
	loop_release(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_does_not_block_and_goes_to_no_child),
		cmocka_unit_test(an_ipv4_client_is_the_same_on_a_socket_of_either_family),
		cmocka_unit_test(a_network_of_ipv6_is_one_client),
		cmocka_unit_test(a_client_of_a_unix_socket_has_no_address),
		cmocka_unit_test(without_a_descriptor_the_loop_goes_on_and_looks_again),
		cmocka_unit_test(a_stop_in_the_pause_is_a_stop),
		cmocka_unit_test(after_a_stop_in_the_callback_nothing_more_comes),
		cmocka_unit_test(a_crowd_is_taken_in_several_turns),
		cmocka_unit_test(who_has_connected_before_a_stop_can_be_taken),
		cmocka_unit_test(a_descriptor_that_cannot_be_watched_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
