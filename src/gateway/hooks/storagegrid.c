/*
 * NetApp StorageGRID: two things, in this order. An endpoint, known by its URN, says where notifications go; the notification
 * configuration of the bucket says which. What others have in that configuration stays. Facts argo-events 1.9; "Tenant
 * Management API". No key of the manifest asks for them to be taken away.
 */
#include "gateway/sources/storagegrid.h"
#include "base/mem.h"
#include "gateway/hooks/rest.h"

#define BLOCK "TopicConfiguration"

static const struct storagegrid_settings *settings_of(const struct hook *h)
{
	return h->route->settings;
}

/* ---- the endpoint ------------------------------------------------------------------------------------------------------- */

static void see_endpoint(struct hook *h, struct str item, struct buf *arena)
{
	if (str_is(text_of(item, "endpointURN", arena), settings_of(h)->topic_arn))
		hook_saw(h, text_of(item, "id", arena),
			 hook_is_ours(h, text_of(item, "endpointURI", arena)) ? 0 : HOOK_ADDRESS);
}

static enum err read_endpoints(struct hook *h, const struct hook_answer *a, struct why *why)
{
	return rest_each(h, json_member_raw(a->body, "data"), see_endpoint, why);
}

static void write_endpoint(const struct hook *h, struct str id, struct hook_request *r)
{
	rest_write(h, id, "PUT", r);
	buf_lit(&r->body, "{\"authType\":\"anonymous\"");
	rest_flag(r, "insecureTLS", true);
	rest_text(r, "displayName", str_of(h->route->event_name));
	rest_text(r, "endpointURI", str_of(h->url));
	rest_text(r, "endpointURN", str_of(settings_of(h)->topic_arn));
	buf_char(&r->body, '}');
}

static struct str made(const struct hook_answer *a, struct buf *arena)
{
	return text_of(json_member_raw(a->body, "data"), "id", arena);
}

static const struct hook_provider endpoint_provider = {
	.name = "storageGrid",
	.interval_ms = 600000,
	.list = rest_list,
	.read = read_endpoints,
	.write = write_endpoint,
	.made = made,
	.remove = rest_remove,
};

/* ---- the notification --------------------------------------------------------------------------------------------------- */

/* Does the element inside say this text? */
static bool says(struct str xml, const char *name, const char *text)
{
	size_t at = 0;
	struct str found = text_element(xml, name, &at);
	struct buf plain = { 0 };
	bool same;

	text_from_xml(&plain, found);
	same = found.p && plain.err == E_OK && str_is(buf_view(&plain), text);
	buf_release(&plain);
	return same;
}

static bool has_event(struct str block, const char *event)
{
	for (size_t at = 0;;) {
		struct str found = text_element(block, "Event", &at);
		struct buf plain = { 0 };
		bool same;

		if (!found.p)
			return false;
		text_from_xml(&plain, found);
		same = str_is(buf_view(&plain), event);
		buf_release(&plain);
		if (same)
			return true;
	}
}

static size_t count_of(struct str xml, const char *name)
{
	size_t at = 0, n = 0;

	while (text_element(xml, name, &at).p)
		n++;
	return n;
}

static unsigned events_differ(const struct text_list *want, struct str block)
{
	size_t distinct = 0;

	for (size_t i = 0; i < want->count; i++) {
		bool again = false;

		for (size_t k = 0; k < i; k++)
			again = again || str_is(str_of(want->items[i]), want->items[k]);
		distinct += !again;
		if (!has_event(block, want->items[i]))
			return HOOK_EVENTS;
	}
	return count_of(block, "Event") == distinct ? 0 : HOOK_EVENTS;
}

/* A rule of this name, with this value; NULL: there is no such rule. */
static bool rule_is(struct str block, const char *name, const char *value)
{
	for (size_t at = 0;;) {
		struct str rule = text_element(block, "FilterRule", &at);

		if (!rule.p)
			return !value || !*value;
		if (says(rule, "Name", name))
			return value && says(rule, "Value", value);
	}
}

static unsigned block_differs(const struct hook *h, struct str block)
{
	const struct storagegrid_settings *s = settings_of(h);
	unsigned differs = events_differ(&s->events, block);

	if (!rule_is(block, "prefix", s->filter.prefix) || !rule_is(block, "suffix", s->filter.suffix))
		differs |= HOOK_FILTER;
	return differs;
}

static size_t occurrences(struct str s, struct str what)
{
	size_t n = 0;

	for (size_t i = 0; i + what.n <= s.n; i++)
		n += str_eq(str_sub(s, i, what.n), what);
	return n;
}

/* Blocks that are ours, and those of others, which are kept for the write. */
static void see_blocks(struct hook *h, struct str xml)
{
	size_t at = 0, ours = 0;
	unsigned differs = 0;

	for (struct str block; (block = text_element(xml, BLOCK, &at)).p;) {
		if (says(block, "Topic", settings_of(h)->topic_arn)) {
			differs |= ours++ ? HOOK_EVENTS : block_differs(h, block);
		} else {
			buf_lit(&h->scratch, "<" BLOCK ">");
			buf_str(&h->scratch, block);
			buf_lit(&h->scratch, "</" BLOCK ">");
		}
	}
	if (ours)
		hook_saw(h, STR("notification"), differs);
}

/* What is not understood is not written anew: it would be lost. */
static bool is_understood(struct str xml)
{
	return occurrences(xml, STR("<" BLOCK)) == count_of(xml, BLOCK) &&
	       !occurrences(xml, STR("<QueueConfiguration")) && !occurrences(xml, STR("<CloudFunctionConfiguration"));
}

static enum err read_notification(struct hook *h, const struct hook_answer *a, struct why *why)
{
	struct str data = json_member_raw(a->body, "data");
	struct buf arena = { 0 };
	struct str xml;
	enum err err = E_OK;

	if (!data.n || data.p[0] != '{')
		return why_set(why, E_MALFORMED, "the answer is not a notification configuration");
	if (!buf_reserve(&arena, data.n + 1))
		return why_set(why, E_NOMEM, "no memory for the answer");
	xml = text_of(data, "notification", &arena);
	if (is_understood(xml))
		see_blocks(h, xml);
	else
		err = why_set(why, E_UNSUPPORTED,
			      "the bucket's notification configuration holds what would be lost by writing it anew");
	buf_release(&arena);
	return err;
}

static void add_rule(struct buf *xml, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	buf_addf(xml, "<FilterRule><Name>%s</Name><Value>", name);
	text_xml(xml, str_of(value));
	buf_lit(xml, "</Value></FilterRule>");
}

static void add_element(struct buf *xml, const char *name, const char *text)
{
	buf_addf(xml, "<%s>", name);
	text_xml(xml, str_of(text));
	buf_addf(xml, "</%s>", name);
}

static void add_block(const struct hook *h, struct buf *xml)
{
	const struct storagegrid_settings *s = settings_of(h);

	buf_lit(xml, "<" BLOCK ">");
	add_element(xml, "Id", h->route->event_name);
	add_element(xml, "Topic", s->topic_arn);
	for (size_t i = 0; i < s->events.count; i++)
		if (!has_event(buf_view(xml), s->events.items[i]))
			add_element(xml, "Event", s->events.items[i]);
	if ((s->filter.prefix && *s->filter.prefix) || (s->filter.suffix && *s->filter.suffix)) {
		buf_lit(xml, "<Filter><S3Key>");
		add_rule(xml, "prefix", s->filter.prefix);
		add_rule(xml, "suffix", s->filter.suffix);
		buf_lit(xml, "</S3Key></Filter>");
	}
	buf_lit(xml, "</" BLOCK ">");
}

static void put_notification(const struct hook *h, bool with_ours, struct hook_request *r)
{
	struct buf xml = { 0 }, block = { 0 };

	if (with_ours)
		add_block(h, &block);
	buf_lit(&xml, "<NotificationConfiguration>");
	buf_str(&xml, buf_view(&h->scratch));
	buf_str(&xml, buf_view(&block));
	buf_lit(&xml, "</NotificationConfiguration>");
	r->method = "PUT";
	buf_str(&r->path, str_of(h->path));
	buf_lit(&r->body, "{\"notification\":");
	buf_json(&r->body, buf_view(&xml));
	buf_char(&r->body, '}');
	if (xml.err != E_OK || block.err != E_OK)
		r->body.err = E_NOMEM;
	buf_release(&xml);
	buf_release(&block);
}

static void write_notification(const struct hook *h, struct str id, struct hook_request *r)
{
	(void)id;
	put_notification(h, /* with_ours= */ true, r);
}

static void remove_notification(const struct hook *h, struct str id, struct hook_request *r)
{
	(void)id;
	put_notification(h, /* with_ours= */ false, r);
}

static const struct hook_provider notification_provider = {
	.name = "storageGrid",
	.interval_ms = 600000,
	.list = rest_list,
	.read = read_notification,
	.write = write_notification,
	.remove = remove_notification,
};

static void plan(const struct route_config *route, struct hook_plan *p)
{
	const struct storagegrid_settings *s = route->settings;

	p->login.kind = LOGIN_BEARER;
	p->login.first = &s->auth_token;
	p->login.ca_path = s->tls.ca.path ? s->tls.ca.path : p->login.ca_path;
	p->login.cert_path = s->tls.cert.path;
	p->login.key_path = s->tls.key.path;
	p->login.insecure = s->tls.insecure;
	hook_plan_base(p, s->api_url);
	hook_plan_add(p, &endpoint_provider, "/org/endpoints", "*", s->topic_arn, NULL);
	hook_plan_add(p, &notification_provider, "/org/containers/*/notification", "*", s->bucket, NULL);
}

const struct hook_kind hook_kind_storagegrid = { "storageGrid", plan };
