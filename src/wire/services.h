/*
 * services.h -- the services of the agent protocol: their paths, and their .proto files for reflection.
 *
 * Shape     the messages of the first two are protobuf-c's: auth.pb-c.h and version.pb-c.h, with rpc/pb.h. Events are event.h's,
 *           and the little else that is said is here and in refusal.h.
 * Source    argocd-agent facts 1.1, 1.3, 11.2, 11.3; proto/argocd/
 */
#pragma once

#include "rpc/server.h"

#define WIRE_AUTH_SERVICE     "authapi.Authentication"
#define WIRE_AUTHENTICATE     "/" WIRE_AUTH_SERVICE "/Authenticate"
#define WIRE_REFRESH_TOKEN    "/" WIRE_AUTH_SERVICE "/RefreshToken"

#define WIRE_VERSION_SERVICE  "versionapi.Version"
#define WIRE_VERSION          "/" WIRE_VERSION_SERVICE "/Version"

#define WIRE_EVENTS_SERVICE   "eventstreamapi.EventStream"
#define WIRE_SUBSCRIBE        "/" WIRE_EVENTS_SERVICE "/Subscribe"
#define WIRE_PUSH             "/" WIRE_EVENTS_SERVICE "/Push"

#define WIRE_LOGS_SERVICE     "principal.apis.logstreamapi.LogStreamService"
#define WIRE_STREAM_LOGS      "/" WIRE_LOGS_SERVICE "/StreamLogs"

#define WIRE_TERMINAL_SERVICE "terminalstreamapi.TerminalStreamService"
#define WIRE_STREAM_TERMINAL  "/" WIRE_TERMINAL_SERVICE "/StreamTerminal"

/* The bare access token, without "Bearer ". */
#define WIRE_AUTHORIZATION    "authorization"

/* What stands before the version in the answer of Version. */
#define WIRE_VERSION_PREFIX   "argocd-agent-"

/* Made by scripts/embed-proto. Reflection of events needs the last two beside eventstream. */
extern const struct rpc_file wire_file_auth;
extern const struct rpc_file wire_file_version;
extern const struct rpc_file wire_file_eventstream;
extern const struct rpc_file wire_file_logstream;
extern const struct rpc_file wire_file_terminalstream;
extern const struct rpc_file wire_file_cloudevents;
extern const struct rpc_file wire_file_any;
extern const struct rpc_file wire_file_timestamp;

/* Append the answer to Push, a PushSummary. */
void wire_push_summary(struct str result, int32_t received, int32_t processed, struct buf *ret_bytes);
