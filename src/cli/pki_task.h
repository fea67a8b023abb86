/*
 * pki_task.h -- one run of a pki command: where the authority's files are, and what there is to say at the end.
 *
 * Owner     the directory's name is borrowed.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "auth/files.h"
#include "cli/command.h"

#define PKI_DIR_HELP      "Directory of the authority's files. Default: pki."
#define PKI_KEY_TYPE_HELP "Kind of the key: P-256 or RSA with 3072 bits. Default: ec."
#define PKI_CA_CERT       "ca.crt"
#define PKI_CA_KEY        "ca.key"
#define PKI_JWT_KEY       "jwt.key"
#define PKI_KEY_MODE      0600
#define PKI_CERT_MODE     0644

/* DIR/NAME and an ending. */
struct pki_path {
	char text[PATH_MAX];
};

struct pki_task {
	const struct invocation *inv;
	const char *dir;
	bool force; /* what is there is replaced */
	int64_t now_ms;
	struct buf text;
	struct why why;
};

/* `dir` NULL: the default. */
void pki_task_begin(struct pki_task *t, const struct invocation *inv, const char *dir, bool force);

/* Prints what was said, or why it failed. Returns the exit code. */
int pki_task_end(struct pki_task *t, enum err err);

/* The path of DIR/NAMEENDING. E_LIMIT: too long. */
enum err pki_task_path(struct pki_task *t, const char *name, const char *ending, struct pki_path *ret_path);

/* A file that exists is somebody's: nothing is begun that could not be finished. But what a killed run left is nobody's. */
enum err pki_task_check_free(struct pki_task *t, const struct file_part *files, size_t n);

/* A line for what was written; a certificate's says until when it is valid. */
void pki_task_say_file(struct pki_task *t, const struct pki_path *path, const char *what);
void pki_task_say_cert(struct pki_task *t, const struct pki_path *path, const char *what, int64_t expires_ms);
