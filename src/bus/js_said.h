/*
 * js_said.h -- what the library and the server say of a failure.
 */
#pragma once

#include <nats/nats.h>

#include "bus/trouble.h"

/* What the library says of `s`, which its last call in this thread returned; good until the next. */
const char *js_said_by_library(natsStatus s);

/* Keeps why the server does not answer, when it said so (permissions). The library writes that while it reads: only who reads may ask. */
void js_said_by_server(natsConnection *nc, struct trouble *said);
