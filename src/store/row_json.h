/*
 * row_json.h -- a stored event as one line of JSON: what `tail --json`, `store dump` and the events API print.
 *
 * Source    docs/reference/cli.md; the event inside is CloudEvents JSON (event.h EVENT_JSON_NATIVE)
 */
#pragma once

#include "store/store.h"

/* Appends {"position":N,"stored":"RFC3339","event":{..}} without a line feed. */
void store_row_json(const struct store_row *row, struct buf *ret_json);
