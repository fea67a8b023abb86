/*
 * embedded.h -- the store itself as the bus: what is stored is published.
 *
 * Shape     nothing is left to publish, and no forwarder runs.
 * Errors    E_UNSUPPORTED  a publish: it would be kept nowhere
 */
#pragma once

#include "bus/bus.h"

/* NULL without memory. */
struct bus *embedded_open(void);
