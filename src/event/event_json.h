/*
 * event_json.h -- CloudEvents out of the JSON format: one event, or a batch.
 *
 * Shape     open() checks everything, so that a batch is all or nothing; next() then gives the events one by one.
 *           Memory is bounded by the input, not by the number of events in it. "data" stays as it was written, white
 *           space between its tokens aside; a JSON string is decoded when datacontenttype is not JSON.
 * Owner     what events borrow lives in `struct event_json` until event_json_release(). A zeroed one is empty.
 * Errors    E_MALFORMED  not UTF-8, not JSON, or not CloudEvents 1.0: `why` names the event (from 0) and the attribute
 *           E_LIMIT      an event has more than EVENT_EXTENSIONS_MAX extensions
 *           E_NOMEM
 * Source    CloudEvents 1.0.2 formats/json-format.md
 */
#pragma once

#include "event/event.h"
#include "event/json_walk.h"

struct event_json {
	struct buf text;    /* the input, compacted */
	struct buf strings; /* what had escapes or base64, decoded */
	struct json_walk at;
	bool batch;
	bool done;
	size_t count; /* events in all */
};

/* `batch`: a JSON array of events, perhaps none; else one event. After an error nothing need be released. */
enum err event_json_open(struct event_json *j, struct str input, bool batch, struct why *why);

/* The next event, or false. What is returned has passed event_check(). */
bool event_json_next(struct event_json *j, struct event *ret_event);

/* Takes a zeroed one. */
void event_json_release(struct event_json *j);
