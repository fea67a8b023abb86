/*
 * excerpt.h -- an object's text without what is not for the peer: pieces of the text itself, no tree.
 *
 * Shape     pure; a tree costs some 20 µs for each event, this one or two.
 */
#pragma once

#include "base/buf.h"

/* Append `json` (compact, an object) without status, operation and metadata.managedFields. False: it has one of the first two. */
bool excerpt_desired(struct str json, struct buf *out);

/* Append what a copy reports: of the top apiVersion, kind, metadata, status and operation, as if it lay in this namespace. */
void excerpt_reported(struct str json, const char *namespace, struct buf *out);

/* Has it no status, operation, labels or refresh? Then no tree is needed to know what a copy reports: nothing. */
bool excerpt_is_bare(struct str json);
