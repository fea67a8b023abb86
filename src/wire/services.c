#include "wire/services.h"

#include "rpc/proto.h"

/* Fields of PushSummary. int32 is written as 64 bits with its sign. */
enum { SUMMARY_RESULT = 1, SUMMARY_RECEIVED = 2, SUMMARY_PROCESSED = 3 };

static void put_number(struct buf *b, unsigned number, int32_t value)
{
	if (value)
		proto_add_number(b, number, (uint64_t)(int64_t)value);
}

void wire_push_summary(struct str result, int32_t received, int32_t processed, struct buf *ret_bytes)
{
	if (result.n)
		proto_add_bytes(ret_bytes, SUMMARY_RESULT, result);
	put_number(ret_bytes, SUMMARY_RECEIVED, received);
	put_number(ret_bytes, SUMMARY_PROCESSED, processed);
}
