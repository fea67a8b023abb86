/*
 * traffic_impl.h -- the inside of traffic, shared by its files.
 *
 * Shape     traffic_names.c  what series are called
 *           traffic.c        what is counted
 */
#pragma once

#include "daemon/traffic.h"

/* What one end calls the families whose series are made when they are needed. */
struct traffic_side {
	struct metric_family errors;
	struct metric_family processing_ms;
	struct metric_family discarded;
	const char *statuses[TRAFFIC_STATUS_COUNT];
};

const struct traffic_side *traffic_side(const struct traffic *t);

/* As a label: "application"; "unknown". */
const char *traffic_resource_type(enum wire_target target);
