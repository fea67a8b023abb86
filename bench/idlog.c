#include "idlog.h"

#include <errno.h>
#include <unistd.h>

#define FLUSH_AT (64u << 10) /* bytes; a flush also comes with each tick of the loop */

void idlog_add(struct idlog *l, enum idlog_outcome outcome, struct str id, int status)
{
	if (l->fd < 0)
		return;
	buf_char(&l->wait, (char)outcome);
	buf_char(&l->wait, ' ');
	buf_str(&l->wait, id);
	if (outcome == IDLOG_REFUSED) {
		buf_char(&l->wait, ' ');
		buf_u64(&l->wait, (uint64_t)status);
	}
	buf_char(&l->wait, '\n');
	if (l->wait.n >= FLUSH_AT)
		idlog_flush(l);
}

enum err idlog_flush(struct idlog *l)
{
	size_t done = 0;

	if (l->wait.err && !l->err)
		l->err = l->wait.err;
	while (done < l->wait.n && !l->err) {
		ssize_t n = write(l->fd, l->wait.p + done, l->wait.n - done);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			l->err = E_IO;
	}
	buf_clear(&l->wait);
	return l->err;
}

void idlog_release(struct idlog *l)
{
	buf_release(&l->wait);
}
