/*
 * js_said.h -- what the library and the server say of a failure.
 */
#pragma once

#include <nats/nats.h>

#include "base/str.h"

/* What the library says of `s`, which its last call in this thread returned; good until the next. */
const char *js_said_by_library(natsStatus s);

/* Why the server does not answer, when it said so (permissions); else empty. Good until it says something else. */
struct str js_said_by_server(natsConnection *nc);
