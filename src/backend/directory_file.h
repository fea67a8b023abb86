/*
 * directory_file.h -- what stands in the two files of an object, and what that makes together.
 *
 * Shape     pure. NAME.yaml (or .yml, .json) is the object, which people may edit; NAME.status.yaml holds `status` and
 *           `operation`. Where there is a status file, the object file's own status and operation do not count. Neither
 *           holds UID and version: they are the ledger's.
 * Errors    E_MALFORMED, E_LIMIT, E_NOMEM
 * Source    docs/reference/directory.md
 */
#pragma once

#include "backend/object.h"
#include "base/buf.h"

#define DIRECTORY_SUM      16 /* bytes */
#define DIRECTORY_SUMS_MAX 65 /* both as hex digits, with the terminating zero */
#define DIRECTORY_UID_MAX  64

/* What a file name says. */
enum directory_part { DIRECTORY_YAML, DIRECTORY_YML, DIRECTORY_JSON, DIRECTORY_STATUS, DIRECTORY_PART_COUNT };

struct directory_key {
	enum object_kind kind;
	const char *namespace;
	const char *name;
};

/*
 * The object's name and the part of it in a file name; false: it is no file of ours (hidden files, backups of editors, other
 * endings). The name is not checked.
 */
bool directory_name(struct str file, struct str *ret_name, enum directory_part *ret_part);

/* May an object be called so? Not "x.status": its file would be the status of "x". */
bool directory_name_ok(struct str name);

/* The file of a part, NAME_MAX + 1 bytes; false: too long a name for a file. */
#define DIRECTORY_FILE_MAX 256
bool directory_file_name(const char *name, enum directory_part part, char ret_file[static DIRECTORY_FILE_MAX]);

/*
 * The content from the files' texts, `status.p` NULL: there is no status file. `part`: how the object file is written.
 * `ret_uid` is a UID that the file brings, "" without, DIRECTORY_UID_MAX + 1 bytes. The tree has neither UID nor version, and
 * its members in the order in which they are written.
 */
enum err directory_content(const struct directory_key *key, enum directory_part part, struct str object,
			   struct str status, struct why *why, json_object **ret_tree,
			   char ret_uid[static DIRECTORY_UID_MAX + 1]);

/* Put a tree's members into that order, UID and version out of it. E_NOMEM */
enum err directory_arrange(json_object *tree, json_object **ret_tree);

/* The text of the object file, and of the status file. Of an arranged tree. */
enum err directory_object_text(json_object *tree, enum directory_part part, struct buf *ret_text, struct why *why);
enum err directory_status_text(json_object *tree, struct buf *ret_text, struct why *why);

/* Are the parts that these two files hold the same? */
bool directory_same_object(json_object *a, json_object *b);
bool directory_same_status(json_object *a, json_object *b);
bool directory_has_status(json_object *tree);

/* The same of whole trees, arranged both. */
enum err directory_same(json_object *a, json_object *b, struct why *why, bool *ret_same);

/* Texts that did not change are recognised by these, and need not be read again. Zeros: there is no such file, or it is not known. */
struct directory_sums {
	unsigned char object[DIRECTORY_SUM];
	unsigned char status[DIRECTORY_SUM];
};

/* Of one file. Another version of this program may read the same text otherwise: it has other sums. */
enum err directory_sum(enum directory_part part, struct str text, struct why *why,
		       unsigned char ret_sum[static DIRECTORY_SUM]);

bool directory_same_sums(const struct directory_sums *a, const struct directory_sums *b);

/* As the ledger has them; what is none is not known. */
void directory_sums_text(const struct directory_sums *sums, char ret_text[static DIRECTORY_SUMS_MAX]);
struct directory_sums directory_sums_of(struct str text);
