#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct winsize terminal_size(int fd)
{
	struct winsize size = { 0 };

	if (isatty(fd) && (ioctl(fd, TIOCGWINSZ, &size) != 0 || !size.ws_col || !size.ws_row))
		size = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	return size;
}

bool terminal_draws(int fd)
{
	const char *kind = getenv("TERM");

	return isatty(fd) && !(kind && strcmp(kind, "dumb") == 0);
}
