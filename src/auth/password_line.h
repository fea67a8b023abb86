/*
 * password_line.h -- one line of a password file. Internal to passwords.
 */
#pragma once

#include "auth/agent.h"

#define BCRYPT_LENGTH   60 /* "$2b$12$" and 53 characters of salt and hash */
#define BCRYPT_COST_MIN 4

struct password_line {
	struct str name;
	struct str hash;
	unsigned cost;
};

enum password_line_kind { PASSWORD_LINE_EMPTY, PASSWORD_LINE_USER, PASSWORD_LINE_BAD };

/* `ret_what`, with BAD: what is wrong with it, for people. Never holds the hash. */
enum password_line_kind password_line_read(struct str text, struct password_line *ret_line, const char **ret_what);
