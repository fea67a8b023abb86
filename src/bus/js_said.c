#include "bus/js_said.h"

#include <string.h>

#include "bus/js_sync.h"

const char *js_said_by_library(natsStatus s)
{
	natsStatus last = NATS_OK;
	const char *text = nats_GetLastError(&last);
	const char *place_end = text ? strstr(text, "): ") : NULL;

	if (!text || !text[0] || last != s)
		return natsStatus_GetText(s);
	return text[0] == '(' && place_end ? place_end + 3 : text; /* "(conn.c:123): " is of no use to anybody here */
}

/* An inbox has another name in each connection: with it each try would be a line in the log. */
static struct str without_inbox(struct str text)
{
	const struct str inbox = STR("_INBOX.");
	const char *at = memmem(text.p, text.n, inbox.p, inbox.n);

	return at ? str_sub(text, 0, (size_t)(at - text.p) + inbox.n) : text;
}

void js_said_by_server(natsConnection *nc, struct trouble *said)
{
	const char *text = NULL;
	struct why why = { 0 };

	/* That a user may not ask how the server syncs is usual, and no reason for anything else. */
	if (natsConnection_GetLastError(nc, &text) == NATS_OK || !text || strstr(text, JS_SYNC_SUBJECT))
		return;
	(void)why_set(&why, E_UNAVAILABLE, "%.*s", STR_ARG(without_inbox(str_of(text))));
	(void)trouble_set(said, &why);
}
