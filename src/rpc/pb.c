#include "rpc/pb.h"

#include "base/mem.h"

/* protobuf-c does not say why it failed: this one does. */
struct pb_memory {
	ProtobufCAllocator allocator;
	bool failed;
};

static void *pb_alloc(void *ctx, size_t size)
{
	struct pb_memory *memory = ctx;
	void *p = mem_alloc(size ? size : 1);

	if (!p)
		memory->failed = true;
	return p;
}

static void pb_release(void *ctx, void *p)
{
	(void)ctx;
	mem_free(p);
}

enum err pb_read(const ProtobufCMessageDescriptor *type, struct str bytes, ProtobufCMessage **ret_message)
{
	struct pb_memory memory = { .allocator = { pb_alloc, pb_release, &memory } };
	ProtobufCMessage *message;

	message = protobuf_c_message_unpack(type, &memory.allocator, bytes.n,
					    (const uint8_t *)(bytes.p ? bytes.p : ""));
	if (!message)
		return memory.failed ? E_NOMEM : E_MALFORMED;
	*ret_message = message;
	return E_OK;
}

void pb_free(ProtobufCMessage *message)
{
	struct pb_memory memory = { .allocator = { pb_alloc, pb_release, &memory } };

	if (message)
		protobuf_c_message_free_unpacked(message, &memory.allocator);
}

enum err pb_send(struct rpc_call *call, const ProtobufCMessage *message)
{
	struct buf b = { 0 };
	size_t n = protobuf_c_message_get_packed_size(message);
	char *to = buf_reserve(&b, n);
	enum err err = b.err;

	if (to) {
		b.n = protobuf_c_message_pack(message, (uint8_t *)to);
		err = rpc_send(call, buf_view(&b));
	}
	buf_release(&b);
	return err;
}
