#include "gateway/sources/sns_message.h"

#include "event/json_members.h"
#include "gateway/path.h"

#define AT(member) offsetof(struct sns_message, member)

static const struct part {
	const char *name;
	size_t offset;
} parts[] = {
	{ "Type", AT(type) },
	{ "MessageId", AT(message_id) },
	{ "Token", AT(token) },
	{ "TopicArn", AT(topic_arn) },
	{ "Subject", AT(subject) },
	{ "Message", AT(message) },
	{ "SubscribeURL", AT(subscribe_url) },
	{ "Timestamp", AT(timestamp) },
	{ "SignatureVersion", AT(version) },
	{ "Signature", AT(signature) },
	{ "SigningCertURL", AT(cert_url) },
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static struct str *text_at(struct sns_message *m, size_t offset)
{
	return (struct str *)(void *)((char *)m + offset);
}

static enum sns_type kind_of(struct str type)
{
	return str_is(type, "Notification")               ? SNS_NOTIFICATION
	       : str_is(type, "SubscriptionConfirmation") ? SNS_SUBSCRIPTION
	       : str_is(type, "UnsubscribeConfirmation")  ? SNS_UNSUBSCRIPTION
							  : SNS_UNKNOWN;
}

static enum err find_parts(struct str body, struct json_member *members, struct why *why)
{
	enum err err;

	for (size_t i = 0; i < PARTS; i++)
		members[i].name = parts[i].name;
	err = json_members(body, members, PARTS);
	if (err == E_MALFORMED)
		return why_set(why, err, "bad request, not a valid SNS notification");
	if (err == E_EXISTS)
		return why_set(why, E_MALFORMED, "a name stands twice in the SNS message");
	return err;
}

static enum err decode_parts(const struct json_member *members, struct sns_message *m, struct why *why)
{
	for (size_t i = 0; i < PARTS; i++)
		if (!json_member_text(&members[i], &m->arena, text_at(m, parts[i].offset)))
			return why_set(why, E_MALFORMED, "%s of the SNS message is not a string", parts[i].name);
	return E_OK;
}

enum err sns_message_parse(struct str body, struct why *why, struct sns_message *ret_message)
{
	struct json_member members[PARTS];
	struct sns_message m = { 0 };
	enum err err = find_parts(body, members, why);

	if (err == E_OK && !buf_reserve(&m.arena, body.n))
		err = why_set(why, E_NOMEM, "no memory");
	if (err == E_OK)
		err = decode_parts(members, &m, why);
	if (err != E_OK) {
		sns_message_release(&m);
		return err;
	}
	m.kind = kind_of(m.type);
	m.has_subject = m.subject.p != NULL;
	*ret_message = m;
	return E_OK;
}

void sns_message_release(struct sns_message *m)
{
	buf_release(&m->arena);
	*m = (struct sns_message){ 0 };
}

/* ---- what was signed ------------------------------------------------------------------------------------------------- */

static const struct part notification[] = {
	{ "Message", AT(message) },     { "MessageId", AT(message_id) }, { "Subject", AT(subject) },
	{ "Timestamp", AT(timestamp) }, { "TopicArn", AT(topic_arn) },   { "Type", AT(type) },
};

static const struct part confirmation[] = {
	{ "Message", AT(message) },     { "MessageId", AT(message_id) }, { "SubscribeURL", AT(subscribe_url) },
	{ "Timestamp", AT(timestamp) }, { "Token", AT(token) },          { "TopicArn", AT(topic_arn) },
	{ "Type", AT(type) },
};

size_t sns_message_signed(const struct sns_message *m, struct str ret_pieces[static SNS_PIECES])
{
	bool confirms = m->kind != SNS_NOTIFICATION;
	const struct part *of = confirms ? confirmation : notification;
	size_t count = confirms ? sizeof(confirmation) / sizeof(*of) : sizeof(notification) / sizeof(*of), n = 0;

	if (m->kind == SNS_UNKNOWN)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (of[i].offset == AT(subject) && !m->has_subject)
			continue;
		ret_pieces[n++] = str_of(of[i].name);
		ret_pieces[n++] = STR("\n");
		ret_pieces[n++] = *(const struct str *)(const void *)((const char *)m + of[i].offset);
		ret_pieces[n++] = STR("\n");
	}
	return n;
}

/* ---- addresses --------------------------------------------------------------------------------------------------------- */

/* Cuts "<base>/" from the front. */
static bool cut_base(struct str *url, struct str base)
{
	if (!str_starts(*url, base) || url->n <= base.n || url->p[base.n] != '/')
		return false;
	*url = str_sub(*url, base.n + 1, url->n);
	return true;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.' || c == '/';
}

bool sns_is_cert_url(struct str url, struct str base)
{
	if (url.n > 512 || !cut_base(&url, base) || !str_ends(url, STR(".pem")))
		return false;
	for (size_t i = 0; i < url.n; i++)
		if (!is_plain(url.p[i]) || (url.p[i] == '.' && i + 1 < url.n && url.p[i + 1] == '.'))
			return false;
	return true;
}

static bool is_visible(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '#')
			return false;
	return true;
}

enum { ACTION = 1, TOPIC = 2, TOKEN = 4 };

static bool value_is(struct str raw, struct str value)
{
	struct buf text = { .max = 4096 };
	bool same = path_decode(raw, &text) == E_OK && str_eq(buf_view(&text), value);

	buf_release(&text);
	return same;
}

/* One parameter of the query; false: it says something else, or again. */
static bool take_parameter(struct str text, struct str topic_arn, unsigned *seen)
{
	struct str value = text, name = str_cut(&value, '=');
	unsigned which = str_is(name, "Action")     ? ACTION
			 : str_is(name, "TopicArn") ? TOPIC
						    : TOKEN * str_is(name, "Token");

	if (str_find(name, '%') < name.n || str_find(name, '+') < name.n || (*seen & which))
		return false;
	*seen |= which;
	return which == ACTION ? value_is(value, STR("ConfirmSubscription"))
			       : which != TOPIC || value_is(value, topic_arn);
}

bool sns_is_subscribe_url(struct str url, struct str base, struct str topic_arn)
{
	unsigned seen = 0;

	if (url.n > 4096 || !is_visible(url) || !cut_base(&url, base) || !str_starts(url, STR("?")))
		return false;
	url = str_sub(url, 1, url.n);
	while (url.n)
		if (!take_parameter(str_cut(&url, '&'), topic_arn, &seen))
			return false;
	return seen == (ACTION | TOPIC | TOKEN);
}
