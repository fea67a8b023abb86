#include "net/pem.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define PEM_MAX  (4 << 20)  /* authorities of a whole system are some 200 KiB */
#define PEM_ROOM (64 << 10) /* more than any key: what grew would leave parts of it behind */

enum err pem_read(const struct pem *pem, struct why *why, struct buf *ret_text)
{
	enum err err;
	int fd = -1;

	if (!buf_reserve(ret_text, pem->text ? pem->text->n : PEM_ROOM))
		return why_set(why, E_NOMEM, "no memory");
	if (pem->text) {
		buf_str(ret_text, buf_view(pem->text));
		return E_OK;
	}
	err = file_open(pem->name, why, &fd);
	if (err != E_OK)
		return err;
	err = file_read_fd(fd, PEM_MAX, ret_text, why);
	(void)close(fd);
	return err;
}

int pem_no_password(char *to, int size, int writing, void *ret_asked)
{
	(void)to;
	(void)size;
	(void)writing;
	if (ret_asked)
		*(bool *)ret_asked = true;
	return -1;
}

bool pem_copy(const struct pem *pem, struct pem *ret_copy)
{
	ret_copy->text = pem->text;
	ret_copy->name = pem->name ? str_dup(str_of(pem->name)) : NULL;
	return !pem->name || ret_copy->name;
}

void pem_release(struct pem *copy)
{
	mem_free((char *)(uintptr_t)copy->name);
}
