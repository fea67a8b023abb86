#include "store/retry.h"

#define FIRST_MS 20
#define MAX_MS   10000

void retry_failed(struct retry *r, uint64_t now_mono)
{
	r->backoff_ms = r->backoff_ms ? r->backoff_ms * 2 : FIRST_MS;
	if (r->backoff_ms > MAX_MS)
		r->backoff_ms = MAX_MS;
	r->due_mono = now_mono + r->backoff_ms;
}
