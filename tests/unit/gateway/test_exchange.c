/*
 * One request from its head to its answer, with a store, a bus, a client and a clock that do what the test says: nothing
 * here sleeps, and what comes from another thread comes when it is let.
 */
#include "gateway/exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "gateway/sources/source.h"
#include "gateway/worker.h"
#include "manifest.h"

#define HEAD  "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: s}\nspec:\n"
#define SPOOL HEAD "  holdfast: {dataDir: d}\n"
#define TO_BUS                                                                                      \
	"---\napiVersion: argoproj.io/v1alpha1\nkind: EventBus\nmetadata: {name: default}\nspec:\n" \
	"  jetstreamExotic: {url: 'nats://h:4222'}\n"

static const char spool[] = SPOOL "  webhook:\n    e: {endpoint: /e, port: '1', method: POST}\n";
static const char filtered[] = SPOOL
	"  webhook:\n    e: {endpoint: /e, port: '1', method: POST, filter: {expression: 'body.a == 1'}}\n";
static const char to_bus[] = HEAD "  webhook:\n    e: {endpoint: /e, port: '1', method: POST}\n" TO_BUS;
static const char batch[] = HEAD "  holdfast:\n    dataDir: d\n    cloudevents:\n      e: {endpoint: /e, port: '1'}\n";
static const char batch_to_bus[] = HEAD "  holdfast:\n    cloudevents:\n      e: {endpoint: /e, port: '1'}\n" TO_BUS;
static const char errand[] = SPOOL
	"  sns:\n    e: {webhook: {endpoint: /e, port: '1', method: POST}, topicArn: 'arn:t', "
	"region: eu-west-1, validateSignature: true}\n";

#define ONE "{\"specversion\":\"1.0\",\"type\":\"t\",\"source\":\"s\",\"id\":"
static const char json[] = "{\"a\":1}", events[] = "[" ONE "\"1\"}," ONE "\"2\",\"data\":[1]}," ONE "\"3\"}]";
static const char message[] =
	"{\"Type\":\"Notification\",\"MessageId\":\"m\",\"TopicArn\":\"arn:t\",\"Message\":\"x\",\"Timestamp\":\"t\","
	"\"SignatureVersion\":\"1\",\"Signature\":\"YWFh\","
	"\"SigningCertURL\":\"https://sns.eu-west-1.amazonaws.com/a.pem\"}";

/* ---- what stands around an exchange ---------------------------------------------------------------------------------------- */

static struct desk {
	struct gateway gateway;
	struct worker worker;
	struct bus bus;
	struct http_request request;
	bool inside;  /* a callback of the server */
	bool gone;    /* the request is over */
	bool closing; /* it was answered in the callback */
	unsigned status;
	unsigned answers;
	enum store_state state;
	struct store_put *put;
	struct bus_publish *publishes[8];
	size_t publish_count;
	struct work *work;
	struct loop_task *tasks;
} d;

static void close_request(void)
{
	d.gone = true;
	if (d.request.user)
		exchange_closed(d.request.user);
	d.request.user = NULL;
}

void __wrap_http_respond(struct http_request *r, const struct http_response *response);
void __wrap_http_respond(struct http_request *r, const struct http_response *response)
{
	assert_ptr_equal(r, &d.request);
	assert_false(d.gone);
	d.answers++;
	d.status = response->status;
	d.closing = d.inside;
	if (!d.inside)
		close_request();
}

void __wrap_loop_post(struct loop *loop, struct loop_task *task);
void __wrap_loop_post(struct loop *loop, struct loop_task *task)
{
	assert_ptr_equal(loop, &d.worker.loop);
	assert_null(d.tasks);
	d.tasks = task;
}

void __wrap_store_put(struct store *s, struct store_put *put);
void __wrap_store_put(struct store *s, struct store_put *put)
{
	(void)s;
	for (size_t i = 0; i < put->count; i++) {
		const struct store_row *row = &put->rows[i];

		assert_true(row->id.n && str_starts(row->meta, STR("{")) && str_ends(row->meta, STR("}")));
		assert_true(memmem(row->meta.p, row->meta.n, row->id.p, row->id.n) != NULL);
	}
	d.put = put;
}

enum store_state __wrap_store_state(const struct store *s);
enum store_state __wrap_store_state(const struct store *s)
{
	(void)s;
	return d.state;
}

enum err __wrap_work_start(struct work_pool *pool, struct loop *loop, struct work *work);
enum err __wrap_work_start(struct work_pool *pool, struct loop *loop, struct work *work)
{
	(void)pool;
	(void)loop;
	d.work = work;
	return E_OK;
}

static void publish(struct bus *bus, struct bus_publish *p)
{
	(void)bus;
	assert_true(d.publish_count < ARRAY_LEN(d.publishes));
	assert_true(p->msg_id.n && str_starts(p->payload, STR("{")) && str_ends(p->payload, STR("}")));
	d.publishes[d.publish_count++] = p;
}

static enum bus_state bus_state(const struct bus *bus)
{
	(void)bus;
	return BUS_UP;
}

static void begin(const char *manifest)
{
	static const struct bus_ops ops = { .kind = "test", .publish = publish, .state = bus_state };
	struct gateway_config *config = manifest_load(manifest);
	struct why why = { 0 };

	d = (struct desk){ .bus = { &ops } };
	d.gateway.registry = metrics_new();
	assert_non_null(d.gateway.registry);
	gateway_metrics_init(&d.gateway.metrics, d.gateway.registry);
	certificates_init(&d.gateway.certificates);
	atomic_store(&d.gateway.body_max, 1 << 20);
	d.gateway.bus = &d.bus;
	assert_int_equal(route_table_new(config, d.gateway.registry, &why, &d.worker.table), E_OK);
	gateway_config_unref(config);
	d.worker.gateway = &d.gateway;
	d.worker.last_ready = &d.worker.ready;
	assert_int_equal(loop_init(&d.worker.loop, &why), E_OK);
}

/* Whatever happened: nobody waits, and nothing is kept of it. */
static void end(void)
{
	assert_int_equal(d.worker.live, 0);
	assert_int_equal(metric_value(d.gateway.metrics.body_memory), 0);
	assert_true(d.answers <= 1);
	exchange_free_all(&d.worker);
	route_table_unref(d.worker.table);
	loop_release(&d.worker.loop);
	certificates_release(&d.gateway.certificates);
	metrics_free(d.gateway.registry);
}

/* ---- what may happen ------------------------------------------------------------------------------------------------------- */

static void returned(void)
{
	d.inside = false;
	if (d.closing && !d.gone)
		close_request();
}

/* The route is looked up anew: the table may be another one by now. */
static void head(const char *type)
{
	d.request = (struct http_request){
		.method = STR("POST"),
		.path = STR("/e"),
		.fields = { { STR("Content-Type"), str_of(type) },
			    { STR("X-Event-Key"), STR("repo:refs_changed") },
			    { STR("X-GitHub-Delivery"), STR("1") } },
		.field_count = 3,
		.content_length = UINT64_MAX,
		.peer = "client",
	};
	d.gone = d.closing = false;
	d.answers = d.status = 0;
	d.inside = true;
	exchange_begin(&d.worker, d.worker.table, &d.worker.table->routes[0], &d.request);
	returned();
}

static void body(const char *text)
{
	d.inside = true;
	if (d.request.user)
		exchange_body(d.request.user, str_of(text));
	returned();
}

static void body_end(void)
{
	d.inside = true;
	if (d.request.user)
		exchange_end(d.request.user);
	returned();
}

static void turn_end(void)
{
	exchange_submit_all(&d.worker);
}

static void run_task(void)
{
	struct loop_task *task = d.tasks;

	d.tasks = NULL;
	if (task)
		task->run(task);
}

/* The store and the bus have done what they could. */
static void outcome(enum err err)
{
	struct store_put *put = TAKE(d.put);
	size_t count = d.publish_count;

	d.publish_count = 0;
	if (put) {
		put->err = err;
		put->on_stored(put);
	}
	for (size_t i = 0; i < count; i++) {
		d.publishes[i]->err = i + 1 == count ? err : E_OK; /* one of several is enough */
		d.publishes[i]->on_done(d.publishes[i]);
	}
}

static void errand_ends(enum err err)
{
	struct work *work = TAKE(d.work);

	if (work)
		work->on_done(work, err);
}

static void pass_time(uint64_t ms)
{
	struct loop *loop = &d.worker.loop;
	struct heap_node *first;

	loop->now_ms += ms;
	while ((first = heap_first(&loop->timers)) && first->key <= loop->now_ms) {
		struct loop_timer *timer = CONTAINER_OF(first, struct loop_timer, node);

		heap_remove(&loop->timers, first);
		timer->on_due(timer);
	}
}

static void client_leaves(void)
{
	if (!d.gone)
		close_request();
}

static void reload(void)
{
	struct route_table *before = d.worker.table;
	struct why why = { 0 };

	if (route_table_new(before->config, d.gateway.registry, &why, &d.worker.table) == E_OK)
		route_table_unref(before);
	else
		d.worker.table = before;
}

static void store_fails(void)
{
	d.state = STORE_FAILED;
}

static void time_is_over(void)
{
	pass_time(60000);
}

static void client_leaves_for_long(void)
{
	client_leaves();
	time_is_over();
}

static void nothing(void)
{
}

/* ---- tests ----------------------------------------------------------------------------------------------------------------- */

struct request {
	const char *manifest, *type, *body;
};

#define SOURCE(kind, keys) SPOOL "  " kind ": {e: {webhook: {endpoint: /e, port: '1', method: POST}" keys "}}\n"
#define FORM               "application/x-www-form-urlencoded"
#define JSON               "application/json"

static const struct request requests[] = {
	{ spool, JSON, json },
	{ spool, FORM, "a=1&b=%20" },
	{ filtered, JSON, json },
	{ to_bus, JSON, json },
	{ batch, "application/cloudevents-batch+json", events },
	{ batch_to_bus, "application/cloudevents-batch+json", events },
	{ SOURCE("github", ", repositories: [{owner: o, names: [r]}]"), JSON, json },
	{ SOURCE("github", ", organizations: [o]"), FORM, "payload=%7B%22X-GitHub-Event%22%3A1%2C%22b%22%3A2%7D" },
	{ SOURCE("gitlab",
		 ", projects: [p], events: [PushEvents], accessToken: {name: s, key: t}, gitlabBaseURL: 'https://g'"),
	  JSON, json },
	{ SOURCE("bitbucket", ", repositories: [{owner: o, repositorySlug: r}]"), JSON, json },
	{ SOURCE("bitbucketserver", ", bitbucketserverBaseURL: 'https://b', oneEventPerChange: true"), JSON,
	  "{\"changes\":[{\"a\":1},{\"a\":2}]}" },
	{ SOURCE("gerrit", ", projects: [p], events: [e], gerritBaseURL: 'https://g', "
			   "auth: {username: {name: s, key: u}, password: {name: s, key: p}}"),
	  JSON, json },
	{ SOURCE("stripe", ""), JSON, "{\"id\":\"evt_1\",\"type\":\"t\",\"data\":{\"object\":{}}}" },
	{ SOURCE("storageGrid",
		 ", events: [e], topicArn: 'urn:t', bucket: b, authToken: {name: s, key: t}, apiURL: 'https://s', "
		 "filter: {prefix: p}"),
	  FORM,
	  "Action=Publish&Message=%7B%22Records%22%3A%5B%7B%22s3%22%3A%7B%22object%22%3A%7B%22key%22%3A%22p1%22%2C"
	  "%22sequencer%22%3A%221%22%7D%7D%7D%5D%7D" },
	{ SOURCE("sns", ", topicArn: 'arn:t', region: r"), "text/plain", message },
};

/* All of it, with `happens` in front of one of the steps; 0: before the first. */
#define STEPS 7
static void pass(const struct request *r, size_t at, void (*happens)(void), enum err err)
{
	for (size_t step = 0; step < STEPS; step++) {
		if (step == at)
			happens();
		switch (step) {
		case 0:
			head(r->type);
			break;
		case 1:
			body("");
			break;
		case 2:
			body(r->body);
			break;
		case 3:
			body_end();
			break;
		case 4:
			turn_end();
			break;
		case 5:
			outcome(err);
			break;
		default:
			run_task();
		}
	}
}

static int64_t sent(void)
{
	return metric_value(d.worker.table->routes[0].metrics.sent);
}

static void what_was_stored_is_answered_with_success_and_nothing_else_is(void **state)
{
	static const struct {
		enum err err;
		unsigned of_store, of_bus;
	} rows[] = {
		{ E_OK, 200, 200 },    { E_FULL, 503, 500 },    { E_IO, 503, 500 },    { E_UNAVAILABLE, 503, 500 },
		{ E_NOMEM, 503, 500 }, { E_TIMEOUT, 503, 500 }, { E_LIMIT, 503, 413 },
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(requests); k++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			begin(requests[k].manifest);
			pass(&requests[k], 0, nothing, rows[i].err);
			assert_int_equal(d.answers, 1);
			assert_int_equal(d.status, d.worker.table->config->routes[0].ack == ACK_BUS ? rows[i].of_bus
												    : rows[i].of_store);
			assert_int_equal(sent() > 0, d.status == 200);
			end();
		}
}

/* Each thing that can happen, at each step: one answer at most, none of them a success that is none, and nothing is left. */
static void whatever_happens_whenever_it_does_a_request_ends(void **state)
{
	static void (*const happens[])(void) = { client_leaves, time_is_over, reload, store_fails };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(requests); k++)
		for (size_t i = 0; i < ARRAY_LEN(happens); i++)
			for (size_t at = 0; at < STEPS; at++)
				for (enum err err = E_OK; err <= E_IO; err += E_IO - E_OK) {
					begin(requests[k].manifest);
					pass(&requests[k], at, happens[i], err);
					assert_int_equal(d.answers, happens[i] != client_leaves || at == 0);
					assert_true(d.status != 200 || err == E_OK);
					end();
				}
}

static void an_event_goes_its_way_when_nobody_waits_for_it_any_more(void **state)
{
	(void)state;
	begin(spool);
	pass(&requests[0], 4, client_leaves_for_long, E_OK);
	assert_int_equal(sent(), 1);
	assert_int_equal(metric_value(d.worker.table->routes[0].metrics.processing_failed), 0);
	pass(&requests[0], 4, time_is_over, E_OK);
	assert_int_equal(d.status, 503);
	assert_int_equal(sent(), 2);
	end();
}

/* The timer of an earlier request may be the one that runs: it is due too early for the next one, and looks again. */
static void an_answer_comes_at_the_deadline_and_not_before(void **state)
{
	(void)state;
	begin(spool);
	for (size_t i = 0; i < 3; i++) {
		pass(&requests[0], 0, nothing, E_OK); /* leaves its timer running */
		pass_time(700);
		head("application/json");
		body(json);
		body_end();
		turn_end();
		pass_time(1999);
		assert_int_equal(d.answers, 0);
		pass_time(1);
		assert_int_equal(d.answers, 1);
		assert_int_equal(d.status, 503);
		outcome(E_OK);
		run_task();
	}
	end();
}

static void a_request_that_waits_for_an_errand_ends_however_that_does(void **state)
{
	static void (*const happens[])(void) = { nothing, client_leaves, time_is_over, reload };
	static const enum err errs[] = { E_OK, E_CANCELLED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(happens); i++)
		for (size_t k = 0; k < ARRAY_LEN(errs); k++) {
			begin(errand);
			head("text/plain");
			body(message);
			body_end();
			assert_non_null(d.work);
			happens[i]();
			errand_ends(errs[k]); /* it was never run: there is no certificate */
			assert_int_equal(d.answers, happens[i] != client_leaves);
			assert_int_not_equal(d.status, 200);
			end();
		}
}

/* The n-th allocation fails; returns how many there were. */
static long pass_without_memory(const struct request *r, long n)
{
	long count;

	begin(r->manifest);
	mem_fail_at(n);
	pass(r, 0, nothing, E_OK);
	count = mem_count();
	mem_fail_at(0);
	assert_int_equal(d.answers, 1);
	assert_true(d.status == 503 || d.status == 200);
	assert_int_equal(sent() > 0, d.status == 200);
	end();
	return count;
}

static void a_request_without_memory_is_answered_and_forgotten(void **state)
{
	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(requests); k++) {
		long count = pass_without_memory(&requests[k], 0);

		assert_true(count > 2);
		for (long n = 1; n <= count; n++)
			(void)pass_without_memory(&requests[k], n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_stored_is_answered_with_success_and_nothing_else_is),
		cmocka_unit_test(whatever_happens_whenever_it_does_a_request_ends),
		cmocka_unit_test(an_event_goes_its_way_when_nobody_waits_for_it_any_more),
		cmocka_unit_test(an_answer_comes_at_the_deadline_and_not_before),
		cmocka_unit_test(a_request_that_waits_for_an_errand_ends_however_that_does),
		cmocka_unit_test(a_request_without_memory_is_answered_and_forgotten),
	};

	log_setup(STDERR_FILENO, LOG_ERROR, LOG_FORMAT_JSON);
	return cmocka_run_group_tests(tests, manifest_begin, manifest_end);
}
