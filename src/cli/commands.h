/*
 * commands.h -- the rows of all commands; each lives in the file of its name, or of its first word: cmd_pki_init.c, cmd_tail.c.
 */
#pragma once

#include "cli/command.h"

extern const struct command cmd_gateway;
extern const struct command cmd_eventsource_service;
extern const struct command cmd_principal;
extern const struct command cmd_agent;
extern const struct command cmd_check_config;
extern const struct command cmd_tail;
extern const struct command cmd_replay;
extern const struct command cmd_status;
extern const struct command cmd_release;
extern const struct command cmd_forget;
extern const struct command cmd_dead_list;
extern const struct command cmd_dead_retry;
extern const struct command cmd_dead_drop;
extern const struct command cmd_store_check;
extern const struct command cmd_store_dump;
extern const struct command cmd_store_export;
extern const struct command cmd_store_vacuum;
extern const struct command cmd_store_rename;
extern const struct command cmd_hooks_plan;
extern const struct command cmd_hooks_apply;
extern const struct command cmd_hooks_delete;
extern const struct command cmd_pki_init;
extern const struct command cmd_pki_issue;
extern const struct command cmd_pki_user;
extern const struct command cmd_help;
extern const struct command cmd_version;
