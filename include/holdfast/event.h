/*
 * event.h -- a CloudEvent (specification 1.0.2) in memory.
 *
 * Shape     attributes by name, extensions in the order they were set, and one run of data. Values are their canonical text.
 * Units     sizes in bytes.
 * Owner     an event copies everything it is given; what a getter returns lives until the event changes or is freed.
 * Threads   one thread at a time; several may read one event that nobody changes.
 * Errors    HF_MALFORMED     an attribute breaks the specification; `why` names it and the rule
 *           HF_LIMIT         more than 64 extension attributes
 *           HF_BAD_ARGUMENT  NULL, a name that no attribute can have ("specversion" is always 1.0), or data of no kind
 * Source    CloudEvents 1.0.2: spec.md, formats/json-format.md
 */
#pragma once

#include <stddef.h>

#include <holdfast/holdfast.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hf_event;

/* What the bytes of data are, and so how they stand in JSON. */
enum hf_data {
	HF_DATA_NONE = 0,
	HF_DATA_JSON = 1,  /* one valid JSON text: "data": as it is */
	HF_DATA_TEXT = 2,  /* UTF-8: "data": a string */
	HF_DATA_BINARY = 3 /* anything: "data_base64" */
};

/* An event without attributes and data, or NULL without memory. */
HF_API struct hf_event *hf_event_new(void);

/* A copy, as of an event that was lent; NULL without memory. */
HF_API struct hf_event *hf_event_copy(const struct hf_event *e);

/* Takes NULL. */
HF_API void hf_event_free(struct hf_event *e);

/*
 * Sets one attribute: "id", "source", "type" (the three that every event needs), "subject", "time", "datacontenttype",
 * "dataschema", or an extension ([a-z0-9]+), which is a string. NULL or "" takes the attribute away.
 */
HF_API HF_CHECKED enum hf_error hf_event_set(struct hf_event *e, const char *name, const char *value);

/* The attribute's text, or NULL when it is absent. */
HF_API const char *hf_event_get(const struct hf_event *e, const char *name);

/* The name of the attribute number `i`, from 0, of those that are set; NULL: there are no more. */
HF_API const char *hf_event_name(const struct hf_event *e, size_t i);

/* Sets the data. Whether it is what `kind` says is for hf_event_check(). */
HF_API HF_CHECKED enum hf_error hf_event_set_data(struct hf_event *e, enum hf_data kind, const void *data, size_t size);

/* The data and (when not NULL) its kind and size. NULL when there is none. */
HF_API const void *hf_event_data(const struct hf_event *e, enum hf_data *ret_kind, size_t *ret_size);

/* Is it a valid event? `why` may be NULL, here and everywhere. */
HF_API HF_CHECKED enum hf_error hf_event_check(const struct hf_event *e, struct hf_why *why);

/* Reads an event in JSON (application/cloudevents+json) and checks it. */
HF_API HF_CHECKED enum hf_error hf_event_parse_json(const char *json, size_t size, struct hf_why *why,
						    struct hf_event **ret_event);

/* Checks the event and writes it in JSON: terminated, hf_free() frees it. `ret_size` (may be NULL) is without the end. */
HF_API HF_CHECKED enum hf_error hf_event_write_json(const struct hf_event *e, struct hf_why *why, char **ret_json,
						    size_t *ret_size);

#ifdef __cplusplus
}
#endif
