#include "rpc/code.h"

#include <nghttp2/nghttp2.h>

const char *rpc_code_name(enum rpc_code code)
{
	static const char *const names[] = {
#define X(name, go) [RPC_##name] = #name,
		RPC_CODES(X)
#undef X
	};

	return (unsigned)code < RPC_CODE_COUNT ? names[code] : names[RPC_UNKNOWN];
}

const char *rpc_code_go_name(enum rpc_code code)
{
	static const char *const names[] = {
#define X(name, go) [RPC_##name] = (go),
		RPC_CODES(X)
#undef X
	};

	return names[code];
}

enum rpc_code rpc_code_parse(struct str field)
{
	uint64_t number;

	return str_to_u64(field, RPC_CODE_COUNT - 1, &number) ? (enum rpc_code)number : RPC_UNKNOWN;
}

enum rpc_code rpc_code_of_http(unsigned status)
{
	switch (status) {
	case 400:
		return RPC_INTERNAL;
	case 401:
		return RPC_UNAUTHENTICATED;
	case 403:
		return RPC_PERMISSION_DENIED;
	case 404:
		return RPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return RPC_UNAVAILABLE;
	default:
		return RPC_UNKNOWN;
	}
}

enum rpc_code rpc_code_of_h2(uint32_t error_code)
{
	switch (error_code) {
	case NGHTTP2_REFUSED_STREAM:
		return RPC_UNAVAILABLE;
	case NGHTTP2_CANCEL:
		return RPC_CANCELLED;
	case NGHTTP2_ENHANCE_YOUR_CALM:
		return RPC_RESOURCE_EXHAUSTED;
	case NGHTTP2_INADEQUATE_SECURITY:
		return RPC_PERMISSION_DENIED;
	default:
		return RPC_INTERNAL;
	}
}

enum rpc_code rpc_code_of_err(enum err err)
{
	return (enum rpc_code)err_grpc(err);
}
