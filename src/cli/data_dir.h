/*
 * data_dir.h -- where the store is when nobody says.
 *
 * Source    XDG Base Directory Specification 0.8 ($XDG_STATE_HOME); Filesystem Hierarchy Standard 3.0 (/var/lib)
 */
#pragma once

#include <stddef.h>

#include "base/why.h"
#include "cli/options.h"
#include "store/store.h"

#define DATA_DIR_HELP "Directory of the store. Default: /var/lib/holdfast for root, else ~/.local/state/holdfast."

/* The row of --data-dir for a command whose args have `const char *data_dir`. */
#define DATA_DIR_OPTION(type)                                                                                     \
	{                                                                                                         \
		"data-dir", 'D', OPTION_TEXT, offsetof(type, data_dir), "DIR", "HOLDFAST_DATA_DIR", DATA_DIR_HELP \
	}

/* The row for a command that asks a principal or agent, or whatever runs there. */
#define DATA_DIR_OF_PROCESS_OPTION(type, whose)                                                     \
	{                                                                                           \
		"data-dir", 'D', OPTION_TEXT, offsetof(type, data_dir), "DIR", "HOLDFAST_DATA_DIR", \
			"Data directory of the " whose ". Default: /var/lib/holdfast for root, "    \
			"else ~/.local/state/holdfast, or the one of a principal or agent in it."   \
	}

/* `given`, or the default. E_NOT_FOUND: neither is there a home directory. E_LIMIT: the path is too long. */
enum err data_dir(const char *given, size_t size, char *ret_dir, struct why *why);

/* The same; of the default, the data directory of a principal or an agent in it, if it has one. E_CONFIG: it has several. */
enum err data_dir_of_peer(const char *given, size_t size, char *ret_dir, struct why *why);

/* The same, but a default that has a store is the gateway's. */
enum err data_dir_of_process(const char *given, size_t size, char *ret_dir, struct why *why);

/* Is it the data directory of a principal or an agent? */
bool data_dir_has_ledger(const char *dir);

/* E_NOT_FOUND: there is no store; `why` says what to do. Before what would make a file in a directory that is none of ours. */
enum err data_dir_check(const char *dir, struct why *why);

/* store_reader_open(), whose story of a missing store says what to do. */
enum err data_dir_read(const char *dir, struct why *why, struct store_reader **ret_reader);
