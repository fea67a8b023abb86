/*
 * admin_file.h -- how the commands of this machine find a running process and enter it: <data dir>/admin.json.
 *
 * Shape     {"address":"http://127.0.0.1:8000","token":"..."}, readable by its owner only, there while the process runs. The token
 *           is this run's.
 * Errors    E_IO, E_NOMEM: it was not written; the process can work without it
 */
#pragma once

#include "base/str.h"
#include "base/why.h"

struct admin_file {
	char token[65]; /* 64 hexadecimal digits */
	char *path;     /* NULL: it is not there */
};

/* Makes the token; zeroed before. */
void admin_file_init(struct admin_file *f);

/* `host` "": all addresses, which the loopback address stands for. Written beside and renamed: nobody reads half of it. */
enum err admin_file_write(struct admin_file *f, const char *data_dir, struct str host, uint16_t port, struct why *why);

/* Takes it away; nothing happens when it is not there. */
void admin_file_remove(struct admin_file *f);
