#include "peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <nats/nats.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"

void peer_quiet(void)
{
	if (!getenv("HOLDFAST_TEST_LOG"))
		log_setup(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_ERROR, LOG_FORMAT_JSON);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* ---- nats-server ----------------------------------------------------------------------------------------------------- */

static bool port_is_free(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is_free = bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;

	close(fd);
	return is_free;
}

/*
 * No other test has or gets the port for as long as the descriptor is open, also while no server runs; -1: one has it.
 * The name is an abstract one: it leaves no file.
 */
static int claim(uint16_t port)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "holdfast-test-port-%u", port);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/*
 * Below the ports that the kernel gives to clients: a client that tries again and again to reach a port where nobody
 * listens would else one day be given that very port, and connect to itself.
 */
static void take_port(struct nats *n)
{
	for (int i = 0; i < 100; i++) {
		n->port = (uint16_t)(10000 + rand_u64() % 20000);
		n->claim = claim(n->port);
		if (n->claim >= 0 && port_is_free(n->port))
			return;
		if (n->claim >= 0)
			close(n->claim);
	}
	fail_msg("no port is free");
}

static pid_t spawn(char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	int null = open("/dev/null", O_RDWR);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no server behind */

	dup2(null, 0);
	dup2(null, 1);
	if (!getenv("HOLDFAST_TEST_LOG"))
		dup2(null, 2);
	execvp(argv[0], argv);
	_exit(127);
}

int run_program(char *const argv[])
{
	pid_t pid = spawn(argv);
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It says INFO when it takes connections. */
static bool greets(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c = 0;
	bool ok = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && recv(fd, &c, 1, 0) == 1 && c == 'I';

	close(fd);
	return ok;
}

static void write_config(const struct nats *n, const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "host: 127.0.0.1\nport: %u\njetstream { store_dir: \"%s/js\" }\n%s\n", n->port, n->dir, n->more);
	fclose(f);
}

void nats_start(struct nats *n)
{
	char path[96];
	char *argv[] = { (char[]){ "nats-server" }, (char[]){ "-c" }, path, NULL };
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	snprintf(path, sizeof(path), "%s/nats.conf", n->dir);
	write_config(n, path);
	n->pid = spawn(argv);
	while (!greets(n->port)) {
		assert_true(clock_mono_ms() < until);
		assert_int_equal(waitpid(n->pid, NULL, WNOHANG), 0);
		poll(NULL, 0, 5);
	}
}

struct nats *nats_new(const char *more)
{
	struct nats *n = mem_alloc(sizeof(*n));

	assert_non_null(n);
	snprintf(n->dir, sizeof(n->dir), "/tmp/holdfast-nats-XXXXXX");
	assert_non_null(mkdtemp(n->dir));
	take_port(n);
	snprintf(n->url, sizeof(n->url), "nats://127.0.0.1:%u", n->port);
	snprintf(n->more, sizeof(n->more), "%s", more ? more : "");
	nats_start(n);
	return n;
}

void nats_stop(struct nats *n, int number)
{
	if (!n->pid)
		return;
	kill(n->pid, number);
	kill(n->pid, SIGCONT);
	assert_int_equal(waitpid(n->pid, NULL, 0), n->pid);
	n->pid = 0;
}

static char state_of(pid_t pid)
{
	char path[64];
	char text[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	const char *end = strrchr(text, ')');

	assert_non_null(end);
	return end[2];
}

void nats_freeze(struct nats *n)
{
	uint64_t until = clock_mono_ms() + DEADLINE_MS;

	kill(n->pid, SIGSTOP);
	while (state_of(n->pid) != 'T') {
		assert_true(clock_mono_ms() < until);
		sched_yield();
	}
}

void nats_free(struct nats *n)
{
	char *argv[] = { (char[]){ "rm" }, (char[]){ "-rf" }, n->dir, NULL };

	nats_stop(n, SIGKILL);
	close(n->claim);
	assert_int_equal(run_program(argv), 0);
	mem_free(n);
}

/* ---- a bus ----------------------------------------------------------------------------------------------------------- */

static struct timespec at_ms(uint64_t ms)
{
	return (struct timespec){ .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000 };
}

static void init_cond(pthread_mutex_t *lock, pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_mutex_init(lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static void on_state(void *ctx, enum bus_state state)
{
	struct peer *p = ctx;

	pthread_mutex_lock(&p->lock);
	p->state = state;
	p->ups += state == BUS_UP;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static char *copy(const char *text)
{
	char *c = str_dup(str_of(text));

	assert_non_null(c);
	return c;
}

void peer_init(struct peer *p, const char *url)
{
	*p = (struct peer){ 0 };
	init_cond(&p->lock, &p->changed);
	p->metrics = metrics_new();
	p->config = (struct jetstream_config){
		.url = copy(url),
		.max_msgs = 50000,
		.max_bytes = -1,
		.max_age_ns = 168ull * 3600 * 1000000000,
		.duplicates_ns = 300ull * 1000000000,
		.replicas = 1,
		.in_flight = 1024,
	};
}

enum err peer_open(struct peer *p)
{
	p->why = (struct why){ 0 };
	p->state = BUS_DOWN;
	return jetstream_open(&p->config, p->metrics, on_state, p, &p->why, &p->bus);
}

void peer_close(struct peer *p)
{
	if (p->bus)
		p->bus->ops->close(p->bus);
	p->bus = NULL;
}

void peer_release(struct peer *p)
{
	peer_close(p);
	metrics_free(p->metrics);
	mem_free(p->config.url);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

bool peer_wait(struct peer *p, enum bus_state state, uint32_t ms)
{
	struct timespec until = at_ms(clock_mono_ms() + ms);
	int failed = 0;

	pthread_mutex_lock(&p->lock);
	while (p->state != state && !failed)
		failed = pthread_cond_timedwait(&p->changed, &p->lock, &until);
	pthread_mutex_unlock(&p->lock);
	return !failed;
}

/* ---- publishes ------------------------------------------------------------------------------------------------------- */

static char payload[2 << 20];

static void on_done(struct bus_publish *publish)
{
	struct shot *s = CONTAINER_OF(publish, struct shot, publish);
	struct volley *v = s->volley;

	pthread_mutex_lock(&v->lock);
	s->answers++;
	s->err = publish->err;
	s->answered_ms = clock_mono_ms();
	v->back++;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

void volley_init(struct volley *v, size_t n, const char *prefix, size_t size, uint32_t timeout_ms)
{
	*v = (struct volley){ .n = n, .shots = mem_array(n, sizeof(*v->shots)) };
	assert_non_null(v->shots);
	assert_true(size <= sizeof(payload));
	memset(payload, 'x', sizeof(payload));
	init_cond(&v->lock, &v->changed);
	for (size_t i = 0; i < n; i++) {
		struct shot *s = &v->shots[i];

		snprintf(s->id, sizeof(s->id), "%s-%zu", prefix, i);
		s->volley = v;
		s->publish = (struct bus_publish){
			.source = STR("webhook"),
			.name = STR("example"),
			.msg_id = str_of(s->id),
			.payload = { payload, size },
			.timeout_ms = timeout_ms,
			.on_done = on_done,
		};
	}
}

void volley_release(struct volley *v)
{
	mem_free(v->shots);
	pthread_cond_destroy(&v->changed);
	pthread_mutex_destroy(&v->lock);
}

void volley_fire(struct volley *v, struct bus *bus)
{
	v->started_ms = clock_mono_ms();
	for (size_t i = 0; i < v->n; i++)
		bus->ops->publish(bus, &v->shots[i].publish);
}

void volley_wait(struct volley *v, size_t n)
{
	struct timespec until = at_ms(clock_mono_ms() + DEADLINE_MS);
	int failed = 0;

	pthread_mutex_lock(&v->lock);
	while (v->back < n && !failed)
		failed = pthread_cond_timedwait(&v->changed, &v->lock, &until);
	pthread_mutex_unlock(&v->lock);
	assert_int_equal(failed, 0);
	for (size_t i = 0; n == v->n && i < v->n; i++)
		assert_int_equal(v->shots[i].answers, 1);
}

size_t volley_count(struct volley *v, enum err err)
{
	size_t n = 0;

	pthread_mutex_lock(&v->lock);
	for (size_t i = 0; i < v->n; i++)
		n += v->shots[i].answers && v->shots[i].err == err;
	pthread_mutex_unlock(&v->lock);
	return n;
}

enum err publish_one(struct bus *bus, const char *source, const char *name, const char *id, size_t size,
		     uint32_t timeout_ms, struct why *ret_why, bool *ret_duplicate)
{
	struct volley v;
	enum err err;

	volley_init(&v, 1, "one", size, timeout_ms);
	v.shots[0].publish.source = str_of(source);
	v.shots[0].publish.name = str_of(name);
	v.shots[0].publish.msg_id = str_of(id);
	volley_fire(&v, bus);
	volley_wait(&v, 1);
	err = v.shots[0].publish.err;
	if (ret_why)
		*ret_why = v.shots[0].publish.why;
	if (ret_duplicate)
		*ret_duplicate = v.shots[0].publish.duplicate;
	volley_release(&v);
	return err;
}

/* ---- the stream, read ------------------------------------------------------------------------------------------------ */

struct reading {
	natsConnection *nc;
	jsCtx *js;
};

static void reading_open(struct reading *r, const char *url)
{
	*r = (struct reading){ 0 };
	assert_int_equal(natsConnection_ConnectTo(&r->nc, url), NATS_OK);
	assert_int_equal(natsConnection_JetStream(&r->js, r->nc, NULL), NATS_OK);
}

static void reading_close(struct reading *r)
{
	jsCtx_Destroy(r->js);
	natsConnection_Destroy(r->nc);
}

long stream_messages(const char *url)
{
	struct reading r;
	jsStreamInfo *info = NULL;
	long n = -1;

	reading_open(&r, url);
	if (js_GetStreamInfo(&info, r.js, "default", NULL, NULL) == NATS_OK)
		n = (long)info->State.Msgs;
	jsStreamInfo_Destroy(info);
	reading_close(&r);
	return n;
}

void stream_delete(const char *url)
{
	struct reading r;

	reading_open(&r, url);
	assert_int_equal(js_DeleteStream(r.js, "default", NULL, NULL), NATS_OK);
	reading_close(&r);
}

static void keep(struct seen *s, natsMsg *msg)
{
	const char *id = "";

	(void)natsMsgHeader_Get(msg, "Nats-Msg-Id", &id);
	s->subjects[s->n] = copy(natsMsg_GetSubject(msg));
	s->ids[s->n] = copy(id);
	s->payloads[s->n] = mem_dup(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
	s->n++;
}

void seen_read(struct seen *s, const char *url)
{
	long n = stream_messages(url);
	struct reading r;
	natsSubscription *sub = NULL;
	jsSubOptions options;

	assert_true(n >= 0);
	*s = (struct seen){ 0 };
	s->subjects = mem_array((size_t)n + 1, sizeof(char *));
	s->ids = mem_array((size_t)n + 1, sizeof(char *));
	s->payloads = mem_array((size_t)n + 1, sizeof(char *));
	reading_open(&r, url);
	jsSubOptions_Init(&options);
	options.Ordered = true;
	assert_int_equal(js_SubscribeSync(&sub, r.js, "default.>", NULL, &options, NULL), NATS_OK);
	while (s->n < (size_t)n) {
		natsMsg *msg = NULL;

		assert_int_equal(natsSubscription_NextMsg(&msg, sub, DEADLINE_MS), NATS_OK);
		keep(s, msg);
		natsMsg_Destroy(msg);
	}
	natsSubscription_Destroy(sub);
	reading_close(&r);
}

void seen_release(struct seen *s)
{
	for (size_t i = 0; i < s->n; i++) {
		mem_free(s->subjects[i]);
		mem_free(s->ids[i]);
		mem_free(s->payloads[i]);
	}
	mem_free(s->subjects);
	mem_free(s->ids);
	mem_free(s->payloads);
}
