/*
 * json_text.h -- a JSON object for people: one "key: value" per line, objects inside indented below their key.
 */
#pragma once

#include "base/buf.h"

/* E_MALFORMED: it is no JSON object. */
enum err json_text(struct str json, struct buf *ret_text);
