/*
 * embedded.h -- the store itself as the bus: what is stored is published.
 *
 * Shape     publish is answered at once with success; the forwarder has nothing to do.
 */
#pragma once

#include "bus/bus.h"

/* NULL without memory. */
struct bus *embedded_open(void);
