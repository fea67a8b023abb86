#include "wire/convert.h"

#include "base/mem.h"
#include "wire/members.h"

bool wire_is_object(const struct wire_event *event)
{
	return wire_kind_of(event->target).n != 0 && wire_delivered_as(event->type) != DELIVERY_REQUEST;
}

bool wire_subject_parse(struct str subject, struct str *ret_namespace, struct str *ret_name)
{
	struct str namespace = str_cut(&subject, '/');

	if (subject.n == 0 || str_find(subject, '/') < subject.n)
		return false;
	*ret_namespace = namespace;
	*ret_name = subject;
	return true;
}

/* Namespace and name out of the metadata of the object itself. */
static enum err name_from_data(struct str data, struct buf *arena, struct delivery_event *d, struct why *why)
{
	const struct member members[] = { { "namespace", &d->namespace }, { "name", &d->name } };
	struct str object;
	enum err err = members_open(data, arena, &object, why);

	if (err == E_OK)
		err = members_read(members_object(object, "metadata"), members, ARRAY_LEN(members), arena, why);
	if (err == E_OK && d->name.n == 0)
		err = why_set(why, E_MALFORMED, "neither subject nor data name the object");
	return err;
}

static enum err name_it(const struct wire_event *event, struct buf *arena, struct delivery_event *d, struct why *why)
{
	if (!wire_is_object(event)) {
		d->name = event->resource_id;
		return E_OK;
	}
	if (wire_subject_parse(event->subject, &d->namespace, &d->name))
		return E_OK;
	return name_from_data(event->data, arena, d, why);
}

enum err wire_to_delivery(const struct wire_event *event, struct blob *bytes, const struct wire_dialect *dialect,
			  struct buf *arena, struct delivery_event *ret_event, struct why *why)
{
	struct delivery_event d = {
		.type = wire_delivered_as(event->type),
		.kind = event->target ? wire_target_text(event->target) : event->target_text,
		.resource_id = event->resource_id,
		.event_id = event->event_id,
		.order = dialect->version >= WIRE_TWO_STEPS ? event->order : 0,
		.bytes = bytes,
	};
	enum err err;

	if (wire_role_of(event->type) == WIRE_CONTROL)
		return why_set(why, E_UNSUPPORTED, "an answer or a heartbeat is not delivered");
	if (!wire_is_object(event))
		d.type = DELIVERY_REQUEST;
	/* Of what it does not have a Go peer names no version: each deletion has the id of the one before (facts 2.7). */
	d.versionless = d.type == DELIVERY_DELETE && str_ends(d.event_id, STR("_"));
	err = name_it(event, arena, &d, why);
	if (err != E_OK)
		return err;
	if (!delivery_event_ok(&d))
		return why_set(why, E_MALFORMED, "an id is missing, too long or holds a zero byte");
	*ret_event = d;
	return E_OK;
}
