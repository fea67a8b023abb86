#include "rpc/fields.h"

#include "base/base64.h"
#include "base/mem.h"
#include "rpc/percent.h"

/* A grpc-message beyond this is cut: peers take header lists of 8 KiB, and all of the status must get through. */
#define MESSAGE_MAX 2048

static void put_coded(struct rpc_metadata *fields, struct str name, struct buf *value)
{
	if (value->err != E_OK && fields->err == E_OK)
		fields->err = value->err;
	rpc_metadata_put(fields, name, buf_view(value));
	buf_release(value);
}

void rpc_fields_add(struct rpc_metadata *fields, const struct rpc_metadata *metadata)
{
	for (size_t i = 0; metadata && i < metadata->n; i++) {
		struct str key = rpc_metadata_key(metadata, i);
		struct buf text = { 0 };

		if (rpc_metadata_is_binary(key)) {
			base64_write_bare(rpc_metadata_value(metadata, i), &text);
			put_coded(fields, key, &text);
		} else {
			rpc_metadata_put(fields, key, rpc_metadata_value(metadata, i));
		}
	}
}

void rpc_fields_status(struct rpc_metadata *fields, enum rpc_code code, struct str message)
{
	struct buf text = { 0 };

	buf_u64(&text, code);
	put_coded(fields, STR("grpc-status"), &text);
	if (message.n == 0)
		return;
	percent_write(str_sub(message, 0, MESSAGE_MAX), &text);
	put_coded(fields, STR("grpc-message"), &text);
}

nghttp2_nv *rpc_fields_nv(const struct rpc_metadata *fields)
{
	nghttp2_nv *nv = fields->err == E_OK ? mem_array(fields->n, sizeof(*nv)) : NULL;

	for (size_t i = 0; nv && i < fields->n; i++) {
		struct str name = rpc_metadata_key(fields, i);
		struct str value = rpc_metadata_value(fields, i);

		nv[i] = (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name.p,
				      .namelen = name.n,
				      .value = (uint8_t *)(uintptr_t)value.p,
				      .valuelen = value.n };
	}
	return nv;
}
