/*
 * h2.h -- from nghttp2's callbacks to calls. Internal to rpc.
 *
 * Source    RFC 9113; nghttp2's documentation
 */
#pragma once

#include "rpc/conn.h"

/* The callbacks for all sessions of an end; NULL without memory. */
nghttp2_session_callbacks *rpc_h2_callbacks(void);

/* Make the session and say our SETTINGS and the connection's window. */
enum err rpc_h2_begin(struct rpc_conn *c);

/* Bytes from the peer. */
void rpc_h2_feed(struct rpc_conn *c, struct str bytes);
