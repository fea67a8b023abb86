#include "rpc/call_impl.h"

static bool lists(struct str list, struct str word)
{
	while (list.n)
		if (str_eq(str_trim(str_cut(&list, ',')), word))
			return true;
	return false;
}

/* "application/grpc", alone or with "+proto" or parameters behind it. */
static bool is_grpc(struct str type)
{
	return str_starts_nocase(type, STR("application/grpc")) &&
	       (type.n == 16 || type.p[16] == '+' || type.p[16] == ';');
}

bool rpc_call_on_common_field(struct rpc_call *call, struct rpc_metadata *metadata, struct str name, struct str value)
{
	if (str_is(name, "grpc-encoding")) {
		call->packed_in = str_is(value, "gzip");
		return call->packed_in || str_is(value, "identity");
	}
	if (str_is(name, "content-type"))
		call->type_ok = is_grpc(value);
	else if (str_is(name, "grpc-accept-encoding"))
		call->accepts_gzip = lists(value, STR("gzip"));
	else if (!rpc_metadata_is_reserved(name) || str_is(name, "user-agent"))
		rpc_metadata_add_wire(metadata, name, value);
	return true;
}
