/*
 * account_impl.h -- between account.c and account_login.c.
 */
#pragma once

#include "gateway/hooks/account.h"

/* A field of the request. False: no memory, or the value holds what would end the field. */
bool account_add_field(struct account *a, const char *name, struct str value);

/* Is no token needed, or is there one that lasts? */
bool account_is_logged_in(const struct account *a);

/* a->request: the one for a token. */
void account_ask_login(struct account *a);

/* The fields that say who asks, or with a->logging_in who wants a token. */
enum err account_log_in(struct account *a, struct why *why);
