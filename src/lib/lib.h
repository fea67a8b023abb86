/*
 * lib.h -- what the files of the public library share.
 *
 * Shape     between the public handles (include/holdfast) and the values of the layers below.
 */
#pragma once

#include "base/why.h"
#include "event/event.h"
#include "holdfast/event.h"
#include "holdfast/holdfast.h"

/* The public number of an error of ours. */
enum hf_error lib_error(enum err err);

/* Passes `why` on to a caller who may not want it (`ret_why` NULL). Returns the public number of why->err. */
enum hf_error lib_fail(const struct why *why, struct hf_why *ret_why);

/* The story of a call that breaks its contract. Returns HF_BAD_ARGUMENT. */
enum hf_error lib_misuse(struct hf_why *ret_why, const char *text);

/* Before anything is logged: what the log would say, a library's calls return. */
void lib_no_log(void);

/* A view of `e`, valid until it changes. */
void lib_event_view(const struct hf_event *e, struct event *ret_view);

/* A copy of `view` on the heap, or NULL without memory. */
struct hf_event *lib_event_copy(const struct event *view);

/* The event of a stored row: `meta` is its attributes in JSON (event/event.h). E_CORRUPT: they do not parse. */
enum err lib_event_join(struct str meta, enum event_data kind, struct str data, struct why *why,
			struct hf_event **ret_event);
