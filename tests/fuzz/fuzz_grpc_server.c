/*
 * fuzz_grpc_server.c -- whatever bytes a client sends, its connection ends, and the server serves the next one.
 *
 * Property  after the last byte and the end of the client's side the server closes the connection, and each handler that was opened
 *           was finished or cancelled.
 *           Input: one byte, odd: the bytes follow a preface and SETTINGS; even: they are all there is. It also says where they are cut
 *           in two. Then the bytes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/listen.h"
#include "rpc/health.h"
#include "rpc/reflection.h"

#define PATIENCE_MS 60000

static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

static struct loop loop;
static struct rpc_server *server;
static uint16_t port;
static int open_calls;
static struct rpc_call *paused; /* by its message; goes on in the next turn */

static void on_open(struct rpc_call *call, void *ctx)
{
	(void)call;
	(void)ctx;
	open_calls++;
}

static void over(const struct rpc_call *call)
{
	open_calls--;
	if (paused == call)
		paused = NULL;
}

/* A letter in front says what else happens; what finds no room waits for it, as the streams of a principal do. */
static void on_message(struct rpc_call *call, struct str message)
{
	enum err err;

	if (str_starts(message, STR("v")))
		rpc_vouch(call);
	if (str_starts(message, STR("p")) && !paused) {
		rpc_pause(call);
		paused = call;
	}
	err = rpc_send(call, message);
	if (err == E_BUSY)
		rpc_pause(call);
	if (err == E_OK || err == E_BUSY)
		return;
	over(call);
	rpc_finish(call, rpc_code_of_err(err), STR("send"), NULL);
}

static void on_half_close(struct rpc_call *call)
{
	over(call);
	rpc_finish(call, RPC_OK, (struct str){ 0 }, NULL);
}

static void on_cancel(struct rpc_call *call)
{
	over(call);
}

static const struct rpc_method methods[] = {
	{ "/a/B", RPC_BIDI, on_open, on_message, on_half_close, rpc_resume, on_cancel },
	{ "/a/U", RPC_UNARY, on_open, on_message, on_half_close, NULL, on_cancel },
};
static const struct rpc_service service = { .name = "a", .methods = methods, .method_count = ARRAY_LEN(methods) };

static void start(void)
{
	const struct rpc_service *services[4] = { &service };
	struct rpc_server_options o = { .limits = rpc_limits_default(), .services = services, .service_count = 4 };
	static struct rpc_reflection *reflection;
	static struct rpc_health *health;
	struct why why;
	int fd;

	o.limits.message_max = 2 << 20; /* unpacked in more than one turn */
	o.limits.send_queue = 1024;
	o.limits.stranger_memory = 3 << 20;
	health = rpc_health_new();
	services[1] = rpc_health_service(health);
	if (rpc_reflection_new(services, 2, &reflection) != E_OK)
		abort();
	services[2] = rpc_reflection_service(reflection);
	services[3] = rpc_reflection_service_alpha(reflection);
	if (loop_init(&loop, &why) != E_OK || listen_open(STR("127.0.0.1"), 0, false, &why, &fd) != E_OK)
		abort();
	port = listen_port(fd);
	if (rpc_server_start(&loop, fd, &o, &why, &server) != E_OK)
		abort();
}

static int dial(void)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
					.sin_port = htons(port),
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger gone = { .l_onoff = 1 }; /* no ports in TIME_WAIT */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		abort();
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &gone, sizeof(gone));
	return fd;
}

static void say(int fd, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n <= 0)
			return; /* the server has closed, or does not read: what it has is enough */
		bytes = str_sub(bytes, (size_t)n, bytes.n);
	}
}

/* Everything that is there to read, and everything to do. False: the server has closed. */
static bool turn(int fd)
{
	char sink[65536];
	ssize_t n;

	uv_run(&loop.uv, UV_RUN_NOWAIT);
	if (paused)
		rpc_resume(TAKE(paused));
	do
		n = recv(fd, sink, sizeof(sink), MSG_DONTWAIT);
	while (n > 0);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data + 1, size ? size - 1 : 0 };
	uint64_t until = clock_mono_ms() + PATIENCE_MS;
	bool open;
	size_t cut;
	int fd;

	if (size == 0)
		return 0;
	if (!server)
		start();
	cut = bytes.n * (data[0] >> 1) / 127;
	fd = dial();
	if (data[0] & 1)
		say(fd, (struct str){ hello, sizeof(hello) - 1 });
	say(fd, str_sub(bytes, 0, cut));
	(void)turn(fd);
	say(fd, str_sub(bytes, cut, bytes.n));
	(void)turn(fd);
	shutdown(fd, SHUT_WR);
	while ((open = turn(fd)) && clock_mono_ms() < until)
		;
	(void)turn(fd); /* what closing left to do */
	if (open || open_calls)
		abort();
	close(fd);
	return 0;
}
