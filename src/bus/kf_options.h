/*
 * kf_options.h -- the settings of a producer; user, password and certificates are read from their files for each.
 *
 * Errors    E_CONFIG  a file cannot be read, or librdkafka refuses a value; no secret is ever in the text
 * Source    librdkafka CONFIGURATION.md; facts argo-events 4.3 (idempotent, acks=all), 4.5 (TLS rules)
 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "bus/kafka.h"

/* `solo`: one message a batch. */
enum err kf_options(const struct kafka_config *config, bool solo, rd_kafka_conf_t **ret_conf, struct why *why);

/* Can every file of the configuration be read and used? */
enum err kf_options_check(const struct kafka_config *config, struct why *why);
