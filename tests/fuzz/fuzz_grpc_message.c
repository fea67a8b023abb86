/*
 * fuzz_grpc_message.c -- the messages of a stream are the same however its bytes are split.
 *
 * Property  the messages and the error of the whole input equal those of the same input in pieces whose lengths the input itself
 *           chooses, each in a block of exactly its length, and packed messages in turns; nothing handed out is longer than the
 *           limit; all memory that was counted is given back. Input: one byte that seeds the lengths, then the stream.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "rpc/message.h"

#define MESSAGE_MAX 4096

static struct buf messages_of(struct gzip *gzip, struct str stream, unsigned seed)
{
	struct rpc_budget budget = { 0 };
	struct rpc_reader r = {
		.max = MESSAGE_MAX, .body.max = MESSAGE_MAX, .packing = true, .gzip = gzip, .budget = &budget
	};
	struct buf text = { 0 };
	bool failed = false;
	size_t left = 0;

	r.unpack_left = seed ? &left : NULL;
	r.keep = seed & 1;
	for (size_t at = 0; at < stream.n && !failed;) {
		struct str piece = str_sub(stream, at, seed ? 1 + (seed >> 8) % 40 : stream.n);
		char *block = mem_dup(piece.p, piece.n);
		struct str rest = { block, piece.n };
		struct str message;
		enum rpc_read read;

		while ((read = rpc_reader_feed(&r, &rest, &message)) == RPC_READ_MESSAGE || read == RPC_READ_LATER) {
			left = 100;
			if (read == RPC_READ_LATER)
				continue;
			if (message.n > MESSAGE_MAX)
				abort();
			buf_json(&text, message);
		}
		failed = read == RPC_READ_FAILED;
		if (!failed && rest.n)
			abort();
		mem_free(block);
		at += piece.n;
		seed = seed * 1103515245u + 12345u; /* any sequence will do, the same each time */
	}
	buf_addf(&text, "%s %d", err_name(r.err), !failed && rpc_reader_is_inside(&r));
	rpc_reader_release(&r);
	if (budget.used)
		abort();
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gzip gzip;
	struct str stream = { (const char *)data + 1, size ? size - 1 : 0 };
	struct buf whole;
	struct buf split;

	if (size == 0)
		return 0;
	whole = messages_of(&gzip, stream, 0);
	split = messages_of(&gzip, stream, 1u + data[0] * 7919u);
	if (!str_eq(buf_view(&whole), buf_view(&split)))
		abort();
	buf_release(&whole);
	buf_release(&split);
	return 0;
}
