/*
 * go_string.h -- what Go reads in a JSON string. Internal to wire.
 *
 * Shape     as encoding/json decodes it: every byte that is not UTF-8, and every half of a surrogate pair, becomes U+FFFD.
 * Source    Go: encoding/json, decode.go
 */
#pragma once

#include "base/buf.h"

/* Nothing in it is decoded: no escapes, and UTF-8. */
bool go_string_is_plain(struct str raw);

/* Append what the string says, of which `raw` has the quotes: at most three times as long. */
void go_string_decode(struct str raw, struct buf *ret_text);
