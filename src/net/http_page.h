/*
 * http_page.h -- pages that every port of ours for operators has.
 */
#pragma once

#include "base/metrics.h"
#include "net/http_server.h"

/* A line of text, ended. */
void http_text(struct http_request *r, unsigned status, struct str text);

/* /metrics: all of them, in the format that was asked for. */
void http_metrics(struct http_request *r, struct metrics *registry);
