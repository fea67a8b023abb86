#include "rpc/pb.h"

#include "base/mem.h"
#include "rpc/proto.h"

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

/*
 * protobuf-c ends a string at its first NUL, so that a name would pass for a shorter one, and takes any bytes for UTF-8. What this
 * cannot read to the end is refused as well: nothing may pass because the two read it differently.
 */
static bool strings_are_text(const ProtobufCMessageDescriptor *type, struct str bytes)
{
	struct proto m = proto(bytes);
	struct proto_field f;

	while (proto_next(&m, &f)) {
		const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, f.number);

		if (!field || f.type != PROTO_BYTES)
			continue;
		if (field->type == PROTOBUF_C_TYPE_STRING && !str_is_text(f.bytes))
			return false;
		if (field->type == PROTOBUF_C_TYPE_MESSAGE && !strings_are_text(field->descriptor, f.bytes))
			return false;
	}
	return !m.broken;
}

enum err pb_read(const ProtobufCMessageDescriptor *type, struct str bytes, ProtobufCMessage **ret_message)
{
	struct pb_memory memory = { .allocator = { pb_alloc, pb_release, &memory } };
	ProtobufCMessage *message;

	if (!strings_are_text(type, bytes))
		return E_MALFORMED;
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
