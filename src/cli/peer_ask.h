/*
 * peer_ask.h -- what an operator asks of a running principal or agent about one agent.
 */
#pragma once

#include "cli/commands.h"

/* POST /WHAT?agent=OPERAND, and `more` behind it; prints the answer. Returns the exit code. */
int peer_ask(const struct invocation *inv, const char *data_dir, const char *what, const char *more);
