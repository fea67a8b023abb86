#include "wire/services.h"

#include "wire/proto.h"

/* Fields of PushSummary. int32 is written as 64 bits with its sign. */
enum { SUMMARY_RESULT = 1, SUMMARY_RECEIVED = 2, SUMMARY_PROCESSED = 3 };

static void put_number(struct buf *b, unsigned number, int32_t value)
{
	char text[16];

	if (value)
		buf_add(b, text, (size_t)(proto_put_number(text, number, (uint64_t)(int64_t)value) - text));
}

void wire_push_summary(struct str result, int32_t received, int32_t processed, struct buf *ret_bytes)
{
	char head[16];

	if (result.n) {
		buf_add(ret_bytes, head, (size_t)(proto_put_head(head, SUMMARY_RESULT, result.n) - head));
		buf_str(ret_bytes, result);
	}
	put_number(ret_bytes, SUMMARY_RECEIVED, received);
	put_number(ret_bytes, SUMMARY_PROCESSED, processed);
}
