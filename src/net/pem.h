/*
 * pem.h -- where the PEM text of a certificate, a key or authorities is: in a file, or in memory.
 *
 * Owner     a value. What it points to is somebody else's, and lasts as long as whoever was given it; of a copy the name is its own.
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

struct pem {
	const char *name;       /* the file's path; with `text`: what people know it by. NULL: there is none */
	const struct buf *text; /* NULL: the file has it */
};

/* Is there anything to read? A text may be empty, and become something. */
static inline bool pem_is_there(const struct pem *pem)
{
	return pem->name && (!pem->text || pem->text->n);
}

/*
 * What it says now, into a zeroed `ret_text`: it may be a secret, so wipe it. Errors are those of file_read_fd(), and `why` has the
 * reason alone, without the name.
 */
enum err pem_read(const struct pem *pem, struct why *why, struct buf *ret_text);

/*
 * OpenSSL's pem_password_cb: without one it would ask on the terminal, and the loop would wait for whoever sits there. `ret_asked`: a
 * bool that tells that it was called, or NULL.
 */
int pem_no_password(char *to, int size, int writing, void *ret_asked);

/* False: no memory. Release a copy, also after that. */
bool pem_copy(const struct pem *pem, struct pem *ret_copy);
void pem_release(struct pem *copy);
