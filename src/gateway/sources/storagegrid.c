/*
 * NetApp StorageGRID, which speaks as if to Amazon SNS: facts argo-events 1.9. Upstream answers before it has read what came;
 * here the answer that StorageGRID takes for delivery is given when the event is stored, and not before.
 */
#include "gateway/sources/storagegrid.h"

#include <openssl/evp.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/rand.h"
#include "event/json_members.h"
#include "event/json_text.h"
#include "event/json_walk.h"
#include "gateway/payload.h"
#include "gateway/sources/provider.h"

#define AT(member) offsetof(struct storagegrid_settings, member)
#define DIGEST_MAX (2 * EVP_MAX_MD_SIZE)

/* clang-format off */
static const struct field filter_fields[] = {
	{ .key = "prefix", .type = FIELD_STRING, .offset = AT(filter.prefix) - AT(filter), .meaning = "Of the object's key." },
	{ .key = "suffix", .type = FIELD_STRING, .offset = AT(filter.suffix) - AT(filter), .meaning = "Of the object's key." },
};
static const struct field_table filter_table = { .rows = filter_fields, .count = ARRAY_LEN(filter_fields) };

static const struct field tls_fields[] = {
	{ .key = "caCertSecret", .type = FIELD_SECRET, .offset = AT(tls.ca) - AT(tls), .meaning = "Certificate authorities (PEM) in place of the system's." },
	{ .key = "clientCertSecret", .type = FIELD_SECRET, .offset = AT(tls.cert) - AT(tls), .meaning = "Certificate of the client (PEM)." },
	{ .key = "clientKeySecret", .type = FIELD_SECRET, .offset = AT(tls.key) - AT(tls), .meaning = "Its private key (PEM)." },
	{ .key = "insecureSkipVerify", .type = FIELD_BOOL, .offset = AT(tls.insecure) - AT(tls), .meaning = "Do not check the server's certificate." },
};
static const struct field_table tls_table = { .rows = tls_fields, .count = ARRAY_LEN(tls_fields) };

static const struct field fields[] = {
	{ .key = "events", .type = FIELD_LIST, .offset = AT(events), .missing = "event types must be provided",
	  .fix = "add `events: [\"s3:ObjectCreated:*\"]`", .meaning = "What a managed notification sends." },
	{ .key = "filter", .type = FIELD_TABLE, .offset = AT(filter), .table = &filter_table },
	{ .key = "topicArn", .type = FIELD_STRING, .offset = AT(topic_arn), .missing = "topic arn must be provided",
	  .fix = "add `topicArn: urn:...`", .meaning = "The URN of the endpoint at StorageGRID." },
	{ .key = "bucket", .type = FIELD_STRING, .offset = AT(bucket), .missing = "bucket name must be provided",
	  .fix = "add `bucket: name`", .meaning = "The bucket of a managed notification." },
	{ .key = "region", .type = FIELD_STRING, .offset = AT(region), .dflt_text = "us-east-1", .meaning = "The region of the bucket." },
	{ .key = "authToken", .type = FIELD_SECRET, .offset = AT(auth_token), .missing = "api auth token must be provided",
	  .fix = "add `authToken: {name: ..., key: ...}`", .meaning = "Token of StorageGRID's management API." },
	{ .key = "apiURL", .type = FIELD_STRING, .offset = AT(api_url), .missing = "api url must be provided",
	  .fix = "add `apiURL: https://...`", .meaning = "Where that API is." },
	{ .key = "tls", .type = FIELD_TABLE, .offset = AT(tls), .table = &tls_table },
};
/* clang-format on */
static const struct field_table settings = {
	.rows = fields,
	.count = ARRAY_LEN(fields),
	.about = "Notifications of buckets in NetApp StorageGRID.",
};

static const struct storagegrid_settings *settings_of(const struct exchange *x)
{
	return x->route->config->settings;
}

static void check(const struct fields_ctx *m, const struct node *event, const struct route_config *route)
{
	if (!route->auth.path)
		warning_at(m->problems, m->file, event, "keep the port to StorageGRID's network",
			   "StorageGRID signs nothing: whoever reaches this endpoint can send events");
}

/* ---- the answer ------------------------------------------------------------------------------------------------------- */

/* 8-4-4-4-12 of 32 hex digits. */
static void write_uuid(const char *hex, struct buf *b)
{
	static const size_t groups[] = { 8, 4, 4, 4, 12 };

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		if (i)
			buf_char(b, '-');
		buf_add(b, hex, groups[i]);
		hex += groups[i];
	}
}

/* What SNS says to a Publish, spaces and all as upstream writes it. */
static void write_answer(struct exchange *x, struct http_response *response)
{
	char message[33], request[33];

	rand_uuid_hex(message);
	rand_uuid_hex(request);
	buf_clear(&x->body);
	buf_lit(&x->body, "\n<PublishResponse xmlns=\"http://argoevents-sns-server/\">\n    <PublishResult> \n"
			  "        <MessageId>");
	write_uuid(message, &x->body);
	buf_lit(&x->body, "</MessageId> \n    </PublishResult> \n    <ResponseMetadata>\n       <RequestId>");
	write_uuid(request, &x->body);
	buf_lit(&x->body, "</RequestId>\n    </ResponseMetadata> \n</PublishResponse>\n");
	response->status = 200;
	response->content_type = STR("text/xml; charset=utf-8");
	response->body = buf_view(&x->body);
}

/* ---- the notification ------------------------------------------------------------------------------------------------- */

/* The text of a member of a member, or empty. */
static struct str text_in(struct str object, const char *outer, const char *inner, struct buf *arena)
{
	struct json_member m = { inner, json_member_raw(json_member_raw(object, outer), inner) };
	struct str text;

	return json_member_text(&m, arena, &text) ? text : (struct str){ 0 };
}

static bool key_fits(const struct exchange *x, struct str key)
{
	const struct storagegrid_settings *s = settings_of(x);

	return str_starts(key, str_of(s->filter.prefix)) && str_ends(key, str_of(s->filter.suffix));
}

/* Does one of the records tell of an object that is wanted? Upstream looks at the first, and crashes when there is none. */
static bool is_wanted(const struct exchange *x, struct str message, struct buf *arena)
{
	const struct storagegrid_settings *s = settings_of(x);
	struct json_walk records = json_walk(json_member_raw(message, "Records"));

	if (!s->filter.prefix && !s->filter.suffix)
		return true;
	if (json_walk_peek(&records) != '[')
		return false;
	json_walk_enter(&records);
	while (json_walk_next(&records))
		if (key_fits(x, text_in(json_member_raw(json_walk_value(&records), "s3"), "object", "key", arena)))
			return true;
	return false;
}

/*
 * A notification has no id of its own; what makes it one of a kind is in it: the request that changed the object, or the
 * change's place in order. With one of them the same message again is the same event.
 */
static bool is_one_of_a_kind(struct str message, struct buf *arena)
{
	struct json_walk records = json_walk(json_member_raw(message, "Records"));
	struct str record;

	if (json_walk_peek(&records) != '[')
		return false;
	json_walk_enter(&records);
	if (!json_walk_next(&records))
		return false;
	record = json_walk_value(&records);
	return text_in(record, "responseElements", "x-amz-request-id", arena).n ||
	       text_in(json_member_raw(record, "s3"), "object", "sequencer", arena).n;
}

static struct str digest_of(struct str text, char ret_hex[static DIGEST_MAX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(text.p, text.n, digest, &n, EVP_sha256(), NULL) != 1)
		return (struct str){ 0 };
	hex_write(digest, n, ret_hex);
	return (struct str){ ret_hex, 2ul * n };
}

/* ---- the form --------------------------------------------------------------------------------------------------------- */

static const char *const form_fields[] = { "Action", "Message", "TopicArn", "Version" };

/* "Action":"Publish","Message":{..}: the message is JSON, the others are text. */
static enum err write_field(struct str form, const char *name, struct buf *value, struct buf *json, struct why *why)
{
	enum err err;

	buf_clear(value);
	err = payload_form_field(form, str_of(name), value);
	if (err != E_OK && err != E_NOT_FOUND)
		return why_set(why, err, "the form has a bad %% escape or a ';'");
	buf_addf(json, "%s\"%s\":", name == form_fields[0] ? "" : ",", name);
	if (strcmp(name, "Message") == 0)
		return json_compact(buf_view(value), /* plain= */ false, json, why);
	json_write_string(json, buf_view(value));
	return E_OK;
}

static enum err write_notification(struct exchange *x, struct why *why)
{
	struct buf value = { 0 };
	enum err err = E_OK;

	buf_lit(&x->payload, "{\"notification\":{");
	for (size_t i = 0; i < ARRAY_LEN(form_fields) && err == E_OK; i++)
		err = write_field(buf_view(&x->body), form_fields[i], &value, &x->payload, why);
	buf_char(&x->payload, '}');
	buf_release(&value);
	return err == E_OK ? x->payload.err : err;
}

static void refuse(struct exchange *x, const char *reason)
{
	exchange_refusef(x, ANSWER_MALFORMED, "send a notification as a form whose Message is a JSON object: %s",
			 reason);
}

static void let_go(struct exchange *x)
{
	struct http_response response = { 0 };

	metric_inc(x->route->metrics.filtered);
	write_answer(x, &response);
	exchange_reply(x, &response);
}

static void handle(struct exchange *x, struct str message)
{
	char hex[DIGEST_MAX];
	struct buf arena = { 0 };

	if (!str_starts(message, STR("{")))
		refuse(x, "it is missing, or no object");
	else if (!buf_reserve(&arena, message.n))
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else if (!is_wanted(x, message, &arena))
		let_go(x);
	else
		provider_emit(x, is_one_of_a_kind(message, &arena) ? digest_of(message, hex) : STR(""));
	buf_release(&arena);
}

/* ---- the request ------------------------------------------------------------------------------------------------------- */

/* StorageGRID looks whether somebody is there. */
static void on_head(struct exchange *x)
{
	if (str_is(x->request->method, "HEAD"))
		exchange_reply_text(x, STR(""));
}

static void on_end(struct exchange *x)
{
	struct why why = { 0 };
	enum err err = write_notification(x, &why);

	if (err == E_MALFORMED)
		refuse(x, why.text);
	else if (err != E_OK)
		exchange_refuse(x, ANSWER_OVERLOAD, STR(""));
	else
		handle(x, json_member_raw(json_member_raw(buf_view(&x->payload), "notification"), "Message"));
}

const struct source_ops source_storagegrid = {
	.kind = "storageGrid",
	.type = "storagegrid",
	.own_filter = true,
	.settings = &settings,
	.settings_size = sizeof(struct storagegrid_settings),
	.check = check,
	.too_large = ANSWER_TOO_LARGE_400,
	.on_head = on_head,
	.on_body = exchange_collect,
	.on_end = on_end,
	.on_stored = write_answer,
};
