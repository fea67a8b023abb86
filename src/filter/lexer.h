/*
 * lexer.h -- an expression as tokens.
 *
 * Shape     lexer_next() reads one token; a copy of the lexer is a place to come back to.
 * Owner     names point into the text; the text of strings lies in the pool.
 * Errors    E_MALFORMED  `why` says what is wrong, `at` where
 */
#pragma once

#include "base/why.h"
#include "filter/pool.h"

enum token_kind {
	TOKEN_END,
	TOKEN_NUMBER, /* text: as written */
	TOKEN_STRING, /* text: what it says */
	TOKEN_NAME,   /* text: a name or a word such as `not` */
	TOKEN_SIGN,   /* text: an operator or a bracket */
};

struct token {
	enum token_kind kind;
	size_t at; /* offset in the expression */
	struct str text;
};

struct lexer {
	struct str text;
	size_t at;
	struct pool *pool;
	bool json_path; /* `@` is a name, too (json_path.h) */
};

/* The token behind the last one. After an error `lexer->at` is where it is. */
enum err lexer_next(struct lexer *lexer, struct token *ret_token, struct why *why);
