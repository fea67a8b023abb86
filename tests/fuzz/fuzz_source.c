/*
 * fuzz_source.c -- a request at an endpoint of any provider, from its head to the event that it becomes.
 *
 * Property  A request becomes one thing: events, a refusal, an answer, or an errand that ends in one of them.
 *           An event is one JSON object, compact and escaped as it will be published, not much larger than the request, and holds no
 *           secret of ours. The parts of a split one fill it exactly.
 *           Nothing becomes an event where a secret is configured and the request is not signed with it.
 *           The same comes out however the body is split.
 *           Input: a line with the name of an endpoint, and "+" when it is to be signed; lines with fields; an empty line; the body.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "event/json_text.h"
#include "gateway/signature.h"
#include "gateway/sources/source.h"
#include "gateway/worker.h"

#define SECRET     "It's a Secret to Nobody but us"
#define TOKEN      "xyzz0WbapA4vBCDEFasx0q6G"
#define SECRETS    "/secrets"
#define FIELD_TEXT 256

static const char manifest[] =
	"apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: fuzz}\nspec:\n"
	"  holdfast: {dataDir: %s, secretsDir: %s" SECRETS "}\n"
	"  webhook:\n"
	"    webhook: {endpoint: /1, port: 1, method: POST}\n"
	"    hmac: {endpoint: /2, port: 1, method: POST, holdfast: {signature: hmac, hmac: {header: X-Sig, encoding: "
	"base64}, "
	"signingSecrets: [{name: s, key: secret}], idHeader: X-Id}}\n"
	"    standard: {endpoint: /3, port: 1, method: POST, holdfast: {signature: standardWebhooks, signingSecrets: "
	"[{name: s, key: "
	"standard}]}}\n"
	"  github:\n"
	"    github: {webhook: {endpoint: /4, port: 1}, organizations: [o], webhookSecret: {name: s, key: secret}}\n"
	"  gitlab:\n"
	"    gitlab: {webhook: {endpoint: /5, port: 1}, events: [], accessToken: {name: s, key: secret}, "
	"gitlabBaseURL: 'https://g', "
	"secretToken: {name: s, key: secret}}\n"
	"    gitlab-signed: {webhook: {endpoint: /6, port: 1}, events: [], accessToken: {name: s, key: secret}, "
	"gitlabBaseURL: "
	"'https://g', holdfast: {signingToken: {name: s, key: standard}}}\n"
	"  bitbucket:\n"
	"    bitbucket: {webhook: {endpoint: /7, port: 1}, repositories: [{owner: o, repositorySlug: r}], holdfast: "
	"{webhookSecret: "
	"{name: s, key: secret}}}\n"
	"  bitbucketserver:\n"
	"    bitbucketserver: {webhook: {endpoint: /8, port: 1}, projects: [P], webhookSecret: {name: s, key: secret}, "
	"bitbucketserverBaseURL: 'https://b/rest'}\n"
	"    split: {webhook: {endpoint: /9, port: 1}, projects: [P], bitbucketserverBaseURL: 'https://b/rest', "
	"oneEventPerChange: true}\n"
	"    skip: {webhook: {endpoint: /10, port: 1}, projects: [P], bitbucketserverBaseURL: 'https://b/rest', "
	"accessToken: {name: s, "
	"key: secret}, skipBranchRefsChangedOnOpenPR: true}\n"
	"  gerrit:\n"
	"    gerrit: {webhook: {endpoint: /11, port: 1}, projects: [p], events: [e], gerritBaseURL: 'https://g', auth: "
	"{username: {name: "
	"s, key: secret}, password: {name: s, key: secret}}}\n"
	"  slack:\n"
	"    slack: {webhook: {endpoint: /12, port: 1}, signingSecret: {name: s, key: secret}, token: {name: s, key: "
	"token}}\n"
	"  stripe:\n"
	"    stripe: {webhook: {endpoint: /13, port: 1}, metadata: {a: b}, holdfast: {signingSecrets: [{name: s, key: "
	"secret}]}}\n"
	"    stripe-open: {webhook: {endpoint: /14, port: 1}, eventFilter: [a, b]}\n"
	"  storageGrid:\n"
	"    storagegrid: {webhook: {endpoint: /15, port: 1}, events: [e], topicArn: t, bucket: b, apiURL: "
	"'https://s', authToken: {name: "
	"s, key: secret}, filter: {suffix: .png}}\n"
	"    storagegrid-all: {webhook: {endpoint: /16, port: 1}, events: [e], topicArn: t, bucket: b, apiURL: "
	"'https://s', authToken: "
	"{name: s, key: secret}}\n"
	"  sns:\n"
	"    sns: {webhook: {endpoint: /17, port: 1}, topicArn: t, region: eu-west-1}\n"
	"    sns-signed: {webhook: {endpoint: /18, port: 1}, topicArn: t, region: eu-west-1, validateSignature: "
	"true}\n";

static struct route_table *table;
static struct gateway gateway;
static struct worker worker = { .gateway = &gateway };

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* ---- the exchange, as its sources see it -------------------------------------------------------------------------------- */

enum outcome { NOTHING, REFUSED, REPLIED, EMITTED };

/* What became of the request. */
static struct {
	enum outcome outcome;
	enum answer answer;
	unsigned status;
	struct buf payload;
	struct buf id;
	size_t parts;
	void (*errand)(struct exchange *x);
} was;

static void becomes(struct exchange *x, enum outcome outcome)
{
	must(was.outcome == NOTHING);
	was.outcome = outcome;
	x->answered = true;
}

void exchange_refuse(struct exchange *x, enum answer answer, struct str detail)
{
	(void)detail;
	becomes(x, REFUSED);
	was.answer = answer;
}

/* Writes the text: what is wrong with its arguments is a finding. */
void exchange_refusef(struct exchange *x, enum answer answer, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	exchange_refuse(x, answer, str_of(text));
}

void exchange_refuse_more(struct exchange *x, enum answer answer, const struct answer_more *more)
{
	exchange_refuse(x, answer, more->detail);
}

void exchange_reply(struct exchange *x, const struct http_response *response)
{
	becomes(x, REPLIED);
	was.status = response->status;
}

void exchange_reply_text(struct exchange *x, struct str text)
{
	exchange_reply(x, &(struct http_response){ .status = 200, .body = text });
}

bool exchange_charge(struct exchange *x)
{
	(void)x;
	return true;
}

void exchange_collect(struct exchange *x, struct str chunk)
{
	buf_str(&x->body, chunk);
}

void exchange_errand(struct exchange *x, void (*run)(struct exchange *x), void (*done)(struct exchange *x))
{
	(void)x;
	(void)run; /* the world does not answer */
	must(was.outcome == NOTHING && !was.errand);
	was.errand = done;
}

static void emitted(struct exchange *x, struct str id, size_t parts)
{
	becomes(x, EMITTED);
	buf_str(&was.payload, buf_view(&x->payload));
	buf_str(&was.id, id);
	was.parts = parts;
}

void exchange_emit(struct exchange *x, struct str id)
{
	emitted(x, id, 1);
}

static void check_part(struct str part)
{
	struct buf again = { 0 };

	must(part.n && part.p[0] == '{');
	must(json_compact(part, /* plain= */ false, &again, NULL) == E_OK);
	must(str_eq(buf_view(&again), part));
	buf_release(&again);
}

void exchange_emit_parts(struct exchange *x, const size_t *sizes, size_t count, struct str id)
{
	struct str rest = buf_view(&x->payload);

	must(count > 0);
	for (size_t i = 0; i < count; i++) {
		must(sizes[i] <= rest.n);
		check_part(str_sub(rest, 0, sizes[i]));
		rest = str_sub(rest, sizes[i], rest.n);
	}
	must(rest.n == 0);
	emitted(x, id, count);
}

/* Of CloudEvents only, which have a fuzzer of their own. */
void exchange_emit_rows(struct exchange *x, struct store_row *rows, bool *duplicates, size_t count)
{
	(void)x, (void)rows, (void)duplicates, (void)count;
	abort();
}

/* ---- signing ------------------------------------------------------------------------------------------------------------ */

/* The fields that are added to a request; their texts. */
static char signed_texts[3][FIELD_TEXT];
static char seconds[24];

static void add_field(struct http_request *r, const char *name, struct str value)
{
	must(r->field_count < HTTP_FIELDS_MAX);
	r->fields[r->field_count++] = (struct http_field){ str_of(name), value };
}

static struct str write_mac(const char *prefix, struct str key, const struct str *pieces, size_t count, bool base64)
{
	struct buf text = { .p = signed_texts[0], .cap = FIELD_TEXT, .max = FIELD_TEXT };
	struct signature mac;

	must(signature_hmac(SIGNATURE_SHA256, key, pieces, count, &mac) == E_OK);
	buf_str(&text, str_of(prefix));
	if (base64)
		base64_write((struct str){ (const char *)mac.bytes, mac.n }, &text);
	for (size_t i = 0; i < mac.n && !base64; i++)
		buf_addf(&text, "%02x", mac.bytes[i]);
	must(text.err == E_OK);
	return buf_view(&text);
}

static void sign_standard(struct http_request *r, struct str body)
{
	struct str pieces[] = { STR("msg_1"), STR("."), str_of(seconds), STR("."), body };

	add_field(r, "webhook-id", STR("msg_1"));
	add_field(r, "webhook-timestamp", str_of(seconds));
	add_field(r, "webhook-signature", write_mac("v1,", STR(SECRET), pieces, ARRAY_LEN(pieces), /* base64= */ true));
}

static void sign_slack(struct http_request *r, struct str body)
{
	struct str pieces[] = { STR("v0:"), str_of(seconds), STR(":"), body };

	add_field(r, "X-Slack-Request-Timestamp", str_of(seconds));
	add_field(r, "X-Slack-Signature",
		  write_mac("v0=", STR(SECRET), pieces, ARRAY_LEN(pieces), /* base64= */ false));
}

static void sign_stripe(struct http_request *r, struct str body)
{
	struct str pieces[] = { str_of(seconds), STR("."), body };
	struct str mac = write_mac("", STR(SECRET), pieces, ARRAY_LEN(pieces), /* base64= */ false);
	int n = snprintf(signed_texts[1], FIELD_TEXT, "t=%s,v1=%.*s", seconds, STR_ARG(mac));

	add_field(r, "Stripe-Signature", (struct str){ signed_texts[1], (size_t)n });
}

static void sign(const struct route_config *config, struct http_request *r, struct str body)
{
	const char *name = config->event_name;

	(void)snprintf(seconds, sizeof(seconds), "%lld", (long long)(clock_wall_ms() / 1000));
	if (str_is(str_of(name), "standard") || str_is(str_of(name), "gitlab-signed"))
		sign_standard(r, body);
	else if (str_is(str_of(name), "hmac"))
		add_field(r, "X-Sig", write_mac("", STR(SECRET), &body, 1, /* base64= */ true));
	else if (str_is(str_of(name), "github"))
		add_field(r, "X-Hub-Signature-256", write_mac("sha256=", STR(SECRET), &body, 1, /* base64= */ false));
	else if (str_starts(str_of(name), STR("bitbucket")))
		add_field(r, "X-Hub-Signature", write_mac("sha256=", STR(SECRET), &body, 1, /* base64= */ false));
	else if (str_is(str_of(name), "gitlab"))
		add_field(r, "X-Gitlab-Token", STR(SECRET));
	else if (str_is(str_of(name), "slack"))
		sign_slack(r, body);
	else if (str_is(str_of(name), "stripe"))
		sign_stripe(r, body);
}

/* ---- one request -------------------------------------------------------------------------------------------------------- */

static struct route *find_route(struct str name)
{
	for (size_t i = 0; i < table->route_count; i++)
		if (str_is(name, table->routes[i].config->event_name))
			return &table->routes[i];
	return NULL;
}

static bool must_be_signed(const struct route *route)
{
	static const char *const open[] = { "webhook", "split",           "skip",       "gerrit", "stripe-open",
					    "sns",     "storagegrid-all", "storagegrid" };

	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		if (str_is(str_of(open[i]), route->config->event_name))
			return false;
	return true;
}

static bool holds(struct str text, struct str part)
{
	return part.n <= text.n && memmem(text.p, text.n, part.p, part.n) != NULL;
}

static void check_event(const struct route *route, struct str input, bool is_signed)
{
	struct str payload = buf_view(&was.payload);

	is_signed |= holds(input, STR(SECRET)); /* the fuzzer learns it from what is compared below */
	must(is_signed || !must_be_signed(route));
	must(!str_is(str_of(route->config->event_name), "sns-signed")); /* nobody has Amazon's key */
	must(was.id.n <= 256);
	if (was.parts != 1)
		return;
	check_part(payload);
	must(payload.n <= 6 * input.n + 2048);
	must(holds(input, STR(SECRET)) || !holds(payload, STR(SECRET)));
}

/* The body in two pieces, the first of `split` bytes. */
static void run(struct route *route, struct http_request *r, struct str body, size_t split)
{
	struct exchange x = { .worker = &worker, .request = r, .table = table, .route = route };
	const struct source_ops *ops = route->config->ops;
	struct str pieces[] = { str_sub(body, 0, split), str_sub(body, split, body.n) };

	was.outcome = NOTHING;
	was.errand = NULL;
	was.parts = 0;
	buf_clear(&was.payload);
	buf_clear(&was.id);
	ops->on_head(&x);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		if (pieces[i].n && !x.answered)
			ops->on_body(&x, pieces[i]);
	if (!x.answered)
		ops->on_end(&x);
	if (was.errand)
		was.errand(&x);
	must(was.outcome != NOTHING);
	if (x.own_free)
		x.own_free(x.own);
	buf_release(&x.body);
	buf_release(&x.payload);
	buf_release(&x.meta);
}

/* What the parser of heads lets through (fuzz_http1.c). */
static bool is_field(struct str name, struct str value)
{
	for (size_t i = 0; i < name.n; i++)
		if ((name.p[i] < 'a' || name.p[i] > 'z') && (name.p[i] < 'A' || name.p[i] > 'Z') && name.p[i] != '-')
			return false;
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
			return false;
	return true;
}

/* "Name: value" lines, up to the empty one. */
static void read_fields(struct str *text, struct http_request *r)
{
	while (text->n) {
		struct str value = str_cut(text, '\n'), name = str_cut(&value, ':');

		if (name.n == 0)
			return;
		value = str_trim(value);
		if (r->field_count < HTTP_FIELDS_MAX - 4 && is_field(name, value))
			r->fields[r->field_count++] = (struct http_field){ name, value };
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static char dir[] = "/tmp/fuzz_source.XXXXXX";

static void remove_secrets(void)
{
	static const char *const files[] = { "secrets/s/secret", "secrets/s/token", "secrets/s/standard" };

	if (chdir(dir) != 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)unlink(files[i]);
	(void)rmdir("secrets/s");
	(void)rmdir("secrets");
	(void)rmdir(dir);
}

static void make_secrets(void)
{
	struct buf standard = { 0 };

	must(chdir(dir) == 0 && mkdir("secrets", 0700) == 0 && mkdir("secrets/s", 0700) == 0);
	write_file("secrets/s/secret", SECRET);
	write_file("secrets/s/token", TOKEN);
	base64_write(STR(SECRET), &standard);
	write_file("secrets/s/standard", buf_cstr(&standard));
	buf_release(&standard);
}

static struct gateway_config *read_config(void)
{
	struct buf text = { 0 };
	struct config_text named = { .name = "manifest" };
	struct config_input input = { .texts = &named, .text_count = 1 };
	struct problems problems = { 0 };
	struct gateway_config *config = NULL;

	buf_addf(&text, manifest, dir, dir);
	named.text = buf_view(&text);
	must(gateway_config_read(&input, &problems, &config) == E_OK);
	problems_release(&problems);
	buf_release(&text);
	return config;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char before[4096];
	struct gateway_config *config;

	(void)argc, (void)argv;
	log_setup(2, LOG_ERROR, LOG_FORMAT_JSON);
	must(getcwd(before, sizeof(before)) && mkdtemp(dir));
	make_secrets();
	(void)atexit(remove_secrets);
	must(chdir(before) == 0);
	config = read_config();
	gateway.registry = metrics_new();
	certificates_init(&gateway.certificates);
	must(route_table_new(config, gateway.registry, NULL, &table) == E_OK);
	gateway_config_unref(config);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = { (const char *)data, size }, input = text, first = str_cut(&text, '\n');
	bool is_signed = str_ends(first, STR("+"));
	struct route *route = find_route(is_signed ? str_sub(first, 0, first.n - 1) : first);
	struct http_request r = { .method = STR("POST"), .target = STR("/"), .path = STR("/"), .version = 11 };
	struct buf payload = { 0 };
	enum outcome outcome;

	if (!route)
		return 0;
	worker.loop.now_ms = clock_mono_ms();
	read_fields(&text, &r);
	if (is_signed)
		sign(route->config, &r, text);
	run(route, &r, text, text.n);
	outcome = was.outcome;
	buf_str(&payload, buf_view(&was.payload));
	if (outcome == EMITTED)
		check_event(route, input, is_signed);
	run(route, &r, text, size % (text.n + 1));
	must(was.outcome == outcome && str_eq(buf_view(&payload), buf_view(&was.payload)));
	buf_release(&payload);
	return 0;
}
