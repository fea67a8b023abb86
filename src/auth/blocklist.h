/*
 * blocklist.h -- certificates that are good no longer, in a file or a text.
 *
 * Shape     a line for each: the SHA-256 of the certificate in upper-case hex, as struct tls_peer has it; comments begin
 *           with '#'. Lower case and colons, as openssl prints them, are taken too.
 * Threads   any, at the same time; reload too.
 * Errors    E_CONFIG  the file cannot be read, or a line is no fingerprint: each is a problem
 * Source    facts argocd-agent 2.3
 */
#pragma once

#include "config/problem.h"

#define BLOCKLIST_FILE_MAX (16u << 20) /* bytes */

struct blocklist;

/* `text` (borrowed) instead of a file, and `path` what people know it by; or NULL. */
enum err blocklist_open(const char *path, const struct buf *text, struct problems *ret_problems,
			struct blocklist **ret_list);
void blocklist_free(struct blocklist *b);

/* Reads it again; on an error the list that was there stays in force. */
enum err blocklist_reload(struct blocklist *b, struct problems *ret_problems);

/* NULL has nothing on it. */
bool blocklist_has(struct blocklist *b, const char *fingerprint);

/* Fingerprints, for the log. */
size_t blocklist_count(struct blocklist *b);
