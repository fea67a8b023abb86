/*
 * doc.h -- YAML documents whose every value knows its file and line.
 *
 * Shape     a tree of nodes per document, read by libyaml; JSON is YAML. Problems are collected, not thrown: a reader
 *           reports everything that is wrong in one pass.
 * Owner     doc_file owns its nodes and texts; problems own their texts.
 * Limits    anchors and aliases are refused, as are files over 4 MiB and depth over 64: what a stranger writes
 *           cannot blow up.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct node {
	enum node_kind kind;
	unsigned line;   /* from 1 */
	unsigned column; /* from 1 */
	struct str text; /* scalar: its value */
	bool quoted;     /* scalar: stood in quotes, so it is a string */
	struct str key;  /* inside a map: its key */
	unsigned key_line;
	struct node *parent;
	struct node *first; /* map, list: the children in order */
	struct node *next;
};

struct doc_file {
	char *path;              /* as given; "-" is standard input */
	struct node **documents; /* the root of each document that is not empty */
	size_t count;
	struct doc_arena *arena; /* doc.c */
};

/* One thing that is wrong. */
struct problem {
	char *file;
	unsigned line; /* 0: the whole file */
	char *path;    /* "spec.webhook.example.port", or "" */
	char *text;    /* what is wrong */
	char *fix;     /* what to do, or NULL */
	bool warning;  /* true: the gateway starts all the same */
	struct problem *next;
};

struct problems {
	struct problem *first;
	struct problem *last;
	size_t errors;
	size_t warnings;
	bool lost; /* no memory for one more: counts as an error */
};

/* Reads all documents of one file. Syntax errors become problems (and E_CONFIG comes back). */
enum err doc_read(const char *path, struct problems *problems, struct doc_file **ret_file);
void doc_free(struct doc_file *f);

/* The child of a map with this key, or NULL. */
struct node *node_get(const struct node *map, const char *key);

/* The path from the root: "spec.webhook.example.port", list places as "[0]". */
void node_path(const struct node *n, struct buf *ret_path);

/* Report against a node; `fix` may be NULL. The texts are formats. */
void problem_at(struct problems *p, const struct doc_file *file, const struct node *n, const char *fix,
		const char *format, ...) __attribute__((format(printf, 5, 6)));
void warning_at(struct problems *p, const struct doc_file *file, const struct node *n, const char *fix,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "FILE:LINE: PATH: text (fix)", one line each. */
void problems_write(const struct problems *p, struct buf *ret_text);
void problems_release(struct problems *p);
