/*
 * reading.h -- one row being read: shared by the files that read fields.
 *
 * Shape     each function checks the node's kind, reports what is wrong, and sets the target only on success.
 */
#pragma once

#include "config/fields.h"

/* A row, the node behind its key, and where the value goes. */
struct reading {
	const struct fields_ctx *ctx;
	const struct field *row;
	const struct node *node;
	void *to;
};

/* Report that the node is not what the row says. */
void reading_wrong(const struct reading *r, const char *fix);

void reading_scalar(const struct reading *r);
void reading_list(const struct reading *r);
void reading_map(const struct reading *r);
void reading_secrets(const struct reading *r);

/* tables.c: a list of maps. */
void reading_tables(const struct reading *r);
void table_list_release(const struct field *row, struct table_list *list);
