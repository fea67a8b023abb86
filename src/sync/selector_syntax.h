/*
 * selector_syntax.h -- the words of a label selector. Internal to selector.c.
 *
 * Shape     a reader holds the token it stands on; words are runs of bytes between white space and operators.
 * Source    Kubernetes: apimachinery, label selectors; "Labels and Selectors", syntax and character set
 */
#pragma once

#include "base/str.h"

enum token_type {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_IN,      /* the word "in": a key or a value may be called so as well */
	TOKEN_NOT_IN,  /* "notin", likewise */
	TOKEN_NOT,     /* ! */
	TOKEN_EQUAL,   /* =, == */
	TOKEN_UNEQUAL, /* != */
	TOKEN_GREATER,
	TOKEN_LESS,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
};

struct token_reader {
	struct str all;
	struct str rest;
	enum token_type type;
	struct str text; /* of a word */
	size_t began;    /* where the token began, in bytes from the start */
};

/* Go on to the next token. */
void token_next(struct token_reader *r);

/* A word, the reserved ones included? */
bool token_is_word(enum token_type type);

/* "[prefix/]name": a DNS subdomain, and 1 to 63 letters, digits, '-', '_', '.' that begin and end with a letter or digit. */
bool label_key_ok(struct str key);

/* Empty, or as the name of a key. */
bool label_value_ok(struct str value);

/* A decimal integer of 64 bits. */
bool label_number(struct str value, int64_t *ret_number);
