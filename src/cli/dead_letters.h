/*
 * dead_letters.h -- another try for what was set aside, or its end.
 *
 * Shape     the process that writes the store does it: the running gateway, asked over HTTP. Without one, dropping is
 *           done here; sending again is not, because only a gateway is connected to the bus.
 * Errors    E_CANCELLED  on_page said so
 *           as gateway_client.h and store.h; what is no dead letter is no error
 */
#pragma once

#include "cli/gateway_client.h"
#include "store/store.h"

enum dead_change { DEAD_RETRY, DEAD_DROP };

struct dead_counts {
	uint64_t changed; /* one position may have several, of as many buses */
	uint64_t failed;  /* the bus refused them again, or the store cannot be written */
	size_t strangers; /* positions that were named and have none */
	bool stopped;     /* it takes none now: those behind were not tried */
};

/* Called after each letter that was named, or each portion of all; false ends with E_CANCELLED. */
struct dead_progress {
	bool (*on_page)(void *ctx, const struct dead_counts *counts);
	void *ctx;
};

/* `count` 0: all of them. */
enum err dead_change_gateway(const struct gateway_client *client, enum dead_change what, const uint64_t *positions,
			     size_t count, const struct dead_progress *progress, struct why *why,
			     struct dead_counts *ret_counts);

/* Drops without a gateway. E_BUSY: another process writes the store. */
enum err dead_drop_offline(const char *dir, const uint64_t *positions, size_t count, struct why *why,
			   struct dead_counts *ret_counts);
