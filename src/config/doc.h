/*
 * doc.h -- YAML documents whose every value knows its file and line.
 *
 * Shape     a tree of nodes per document, read by libyaml; JSON is YAML. Problems are collected (problem.h).
 * Owner     doc_file owns its nodes and texts; every text is terminated by a zero and holds no other.
 * Limits    anchors, aliases and tags are refused, as are files over 4 MiB, depth over 64 and more than 1000 documents
 *           in a file: what a stranger writes cannot blow up.
 * Source    YAML 1.1 as libyaml reads it
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"
#include "config/problem.h"

#define DOC_BYTES_MAX (4u << 20)
#define DOC_DEPTH_MAX 64
#define DOC_COUNT_MAX 1000

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct node {
	enum node_kind kind;
	unsigned line;   /* from 1 */
	unsigned column; /* from 1 */
	struct str text; /* scalar: its value */
	bool quoted;     /* scalar: stood in quotes or as a block, so it is a string */
	bool block;      /* scalar: a block (| or >), which begins on the next line */
	struct str key;  /* inside a map: its key */
	unsigned key_line;
	struct node *parent;
	struct node *first; /* map, list: the children in order */
	struct node *last;
	struct node *next;
	size_t count; /* map, list: children */
};

struct doc_file {
	char *path;              /* as given; "-" is standard input */
	struct node **documents; /* the root of each document that is not empty */
	size_t count;
	struct doc_arena *arena; /* doc.c */
};

/*
 * Reads all documents of one file. What cannot be read on (syntax, limits) becomes a problem and E_CONFIG comes back; a key
 * that stands twice is a problem too, but reading goes on (the first one counts).
 */
enum err doc_read(const char *path, struct problems *problems, struct doc_file **ret_file);

/* The same from memory. Places name `path`, and count lines from `line_before` + 1. */
enum err doc_parse(const char *path, struct str text, unsigned line_before, struct problems *problems,
		   struct doc_file **ret_file);

/* Takes NULL. */
void doc_free(struct doc_file *f);

/* The child of a map with this key, or NULL (also for NULL and what is no map). */
struct node *node_get(const struct node *map, const char *key);

/* Nothing there: NULL, or a plain scalar that YAML reads as null. */
bool node_is_null(const struct node *n);

/* The path from the root: "spec.webhook.example.port", list places as "[0]". */
void node_path(const struct node *n, struct buf *ret_path);
