/*
 * manifests.h -- which configuration files a command was given: -f, operands, HOLDFAST_CONFIG, or the one of the machine.
 */
#pragma once

#include "cli/command.h"
#include "gateway/config.h"

#define MANIFEST_DEFAULT "/etc/holdfast/config.yaml"

/* The row of --file for a command whose args have `struct option_list files`. */
#define MANIFESTS_OPTION(type)                                                                                       \
	{                                                                                                            \
		"file", 'f', OPTION_LIST, offsetof(type, files), "FILE", "HOLDFAST_CONFIG",                          \
			"A file with EventSource and EventBus manifests; - is standard input. May be given several " \
			"times, and further files may follow without -f. In the variable, ':' separates files. "     \
			"Default: " MANIFEST_DEFAULT "."                                                             \
	}

struct manifests {
	const char *files[2 * OPTION_LIST_MAX];
	size_t n;
};

/* EXIT_USAGE: there is none, or there are too many; said on standard error. */
int manifests_collect(const struct invocation *inv, const struct option_list *given, struct manifests *ret_manifests);

/* Reads them; what is wrong with them, and each warning, goes to standard error. */
enum err manifests_load(const struct manifests *manifests, struct gateway_config **ret_config);
