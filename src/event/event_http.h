/*
 * event_http.h -- CloudEvents in HTTP messages: which mode, and the binary mode in and out.
 *
 * Owner     what is read points into the message, and into `arena` where a name or value had to be changed.
 * Errors    E_MALFORMED  not a CloudEvent 1.0: `why` names the attribute and the rule
 *           E_LIMIT      more than EVENT_EXTENSIONS_MAX extensions, or the arena's ceiling
 *           E_NOMEM
 * Source    CloudEvents 1.0.2 bindings/http-protocol-binding.md
 */
#pragma once

#include "event/event.h"

enum event_http_mode {
	EVENT_HTTP_BINARY,
	EVENT_HTTP_STRUCTURED, /* the body is one event in JSON: event_json.h */
	EVENT_HTTP_BATCH,      /* the body is a JSON array of events */
	EVENT_HTTP_UNKNOWN,    /* an event format other than JSON: 415 */
};

/* Chosen by the Content-Type (empty: none). */
enum event_http_mode event_http_mode(struct str content_type);

#define EVENT_HTTP_JSON_TYPE  "application/cloudevents+json"
#define EVENT_HTTP_BATCH_TYPE "application/cloudevents-batch+json"

struct event_field {
	struct str name;  /* as sent, any case */
	struct str value; /* without the white space around it */
};

/* The message has at least one ce- field: it means to be a CloudEvent. */
bool event_http_is_binary(const struct event_field *fields, size_t count);

/*
 * Reads binary mode. The event is checked; its data is `body` unchanged, its kind by event_data_kind(). `arena` is emptied
 * first and is the caller's to release.
 */
enum err event_http_read(const struct event_field *fields, size_t count, struct str body, struct buf *arena,
			 struct event *ret_event, struct why *why);

/*
 * Writes binary mode: appends one "ce-name: value\r\n" for each attribute. The body is event->data unchanged; its
 * Content-Type is `ret_content_type`, borrowed from the event, empty for none. The event is checked first, so that no
 * field can be forged. Errors of the buffer are sticky in it, and returned.
 */
enum err event_http_write(const struct event *event, struct buf *ret_fields, struct str *ret_content_type,
			  struct why *why);
