/*
 * json_text.h -- whole JSON texts: is it one, make it one line, say what is wrong.
 *
 * Errors    E_MALFORMED  not one valid JSON text
 *           E_LIMIT, E_NOMEM  from the output buffer
 * Source    json_scan.h; the wording is that of Go's encoding/json, which upstream answers with (facts argo-events 1.0).
 */
#pragma once

#include "base/why.h"
#include "event/json_scan.h"

bool json_valid(struct str text);

/* Appends `text` compacted and escaped; with `plain` only compacted. `why`: the sentence and the byte offset. */
enum err json_compact(struct str text, bool plain, struct buf *ret_text, struct why *why);

/* Appends what is wrong after E_MALFORMED: "invalid character 'x' after top-level value". */
void json_explain(const struct json_scan *s, struct buf *ret_text);

/* Appends `s` in quotes as encoding/json does with HTML escaping on; bytes that are not UTF-8 become \ufffd. */
void json_write_string(struct buf *b, struct str s);
