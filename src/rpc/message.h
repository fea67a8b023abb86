/*
 * message.h -- messages in the bytes of a stream.
 *
 * Shape     each message is one byte (0 plain, 1 packed), its length as four bytes, big-endian, and its bytes. How DATA frames cut
 *           the stream says nothing. The reader collects one message at a time; its memory grows with what has come, never
 *           with what was announced.
 * Units     bytes.
 * Owner     the reader owns the message until the next call; gzip and budget are lent.
 * Errors    E_LIMIT        longer than `max`, packed or not, or the budget is used up
 *           E_MALFORMED    an unknown flag byte, or packed bytes that do not unpack
 *           E_UNSUPPORTED  packed, though no encoding was agreed
 *           E_NOMEM
 * Source    PROTOCOL-HTTP2.md: Length-Prefixed-Message
 */
#pragma once

#include "rpc/budget.h"
#include "rpc/gzip.h"

#define RPC_PREFIX 5

enum rpc_read {
	RPC_READ_MORE,    /* all bytes are used; more are needed */
	RPC_READ_MESSAGE, /* a message is there */
	RPC_READ_LATER,   /* one is there and not unpacked yet: there is more to do in the next turn */
	RPC_READ_FAILED,  /* see the error; the stream cannot go on */
};

struct rpc_reader {
	unsigned char prefix[RPC_PREFIX];
	unsigned prefix_n;
	uint32_t length; /* of the message that is coming */
	struct buf body;
	struct buf plain; /* what a packed one held */
	size_t held;      /* of the budget */
	size_t max;       /* of a message */
	struct gunzip *unpacking;
	size_t *unpack_left; /* bytes that messages may still unpack to in this turn; lent; NULL: any number */
	bool packing;        /* packed messages are allowed */
	bool keep;           /* copy each message, so that it outlives the input */
	bool ended;          /* a message was handed out */
	struct gzip *gzip;
	struct rpc_budget *budget;
	enum err err;
};

/*
 * Take from the front of `*in`. The message is borrowed until the next call; it may lie in `*in` itself, unless `keep`.
 */
enum rpc_read rpc_reader_feed(struct rpc_reader *r, struct str *in, struct str *ret_message);

/* Part of a message has come and the rest has not. */
bool rpc_reader_is_inside(const struct rpc_reader *r);

void rpc_reader_release(struct rpc_reader *r);

/* The five bytes in front of a message of `n` bytes, at most UINT32_MAX. */
void rpc_prefix_write(bool packed, size_t n, unsigned char ret_prefix[static RPC_PREFIX]);
