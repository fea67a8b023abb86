#include "cli/out.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/terminal.h"
#include "cli/command.h"

#define FLUSH_BYTES (64 << 10)

void out_open(struct out *out)
{
	*out = (struct out){ .fd = STDOUT_FILENO, .columns = terminal_size(STDOUT_FILENO).ws_col };
}

bool out_flush(struct out *out)
{
	size_t at = 0;

	while (at < out->text.n && !out->gone && !out->error) {
		ssize_t n = write(out->fd, out->text.p + at, out->text.n - at);

		if (n >= 0)
			at += (size_t)n;
		else if (errno == EPIPE)
			out->gone = true;
		else if (errno != EINTR)
			out->error = errno;
	}
	if (out->text.err == E_OK)
		buf_clear(&out->text);
	return !out->gone && !out->error && out->text.err == E_OK;
}

bool out_next(struct out *out)
{
	if (out->text.n >= FLUSH_BYTES || out->text.err != E_OK)
		return out_flush(out);
	return true;
}

enum err out_close(struct out *out, enum err before, struct why *why)
{
	enum err err;

	out_flush(out);
	err = out->text.err;
	buf_release(&out->text);
	if (before != E_OK)
		return before;
	if (out->error)
		return why_errno(why, E_IO, out->error, "write to standard output");
	return err == E_OK ? E_OK : why_set(why, err, "write to standard output: %s", err_text(err));
}

int out_print(struct buf *text)
{
	struct why why = { 0 };
	struct out out;

	out_open(&out);
	out.text = *text;
	*text = (struct buf){ 0 };
	if (out_close(&out, E_OK, &why) == E_OK)
		return EXIT_DONE;
	(void)fprintf(stderr, "holdfast: %s\n", why.text);
	return EXIT_FAILED;
}
