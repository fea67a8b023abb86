/*
 * admin_call.h -- an admin request that is answered later.
 *
 * Shape     embedded in whatever waits; r->user points to it.
 */
#pragma once

#include "net/http_page.h"

struct admin_call {
	void (*on_closed)(struct admin_call *call); /* the request is over: answered, or the client is gone */
};
