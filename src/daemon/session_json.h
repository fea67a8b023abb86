/*
 * session_json.h -- one session in a status document: what is where with one peer.
 */
#pragma once

#include "base/buf.h"
#include "sync/session.h"

/* Members of an object that has begun and has members already: ,"objects":1,"behind":0, ... */
void session_json(struct session *s, uint64_t now_ms, struct buf *json);
