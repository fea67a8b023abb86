/*
 * attr.h -- the rules for the values of CloudEvents attributes.
 *
 * Shape     each rule takes the canonical text and says yes or no; nothing is changed.
 * Source    CloudEvents 1.0.2 spec.md "Type System"; RFC 3339 5.6; RFC 3986; RFC 2045 5.1; RFC 4648 4.
 */
#pragma once

#include "event/event.h"

/* UTF-8 without control characters (U+0000-1F, U+007F-9F) and noncharacters. May be empty. */
bool attr_is_string(struct str s);

bool attr_is_uri_reference(struct str s);

/* A date-time of RFC 3339, any year and offset; no other separator than T or t. */
bool attr_is_time(struct str s);

/* type/subtype, then perhaps parameters in printable ASCII. */
bool attr_is_media_type(struct str s);

/* NULL when `text` is a value of `type`, else the rule it breaks: "is not an RFC 3339 time". */
const char *attr_problem(enum event_attr_type type, struct str text);
