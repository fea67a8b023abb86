#include "version.pb-c.h"

#include "base/mem.h"
#include "principal/process.h"
#include "rpc/pb.h"
#include "wire/services.h"

/* ---- Version: needs no token (facts 1.3) -------------------------------------------------------------------------- */

static void on_open(struct rpc_call *call, void *ctx)
{
	rpc_set_user(call, ctx);
}

static void on_version(struct rpc_call *call, struct str message)
{
	struct principal *p = rpc_user(call);
	Versionapi__VersionResponse response = VERSIONAPI__VERSION_RESPONSE__INIT;
	const struct wire_dialect agreed = { .version = wire_dialect_accept(rpc_metadata(call)).version };
	struct rpc_metadata metadata = { 0 };
	struct buf version = { 0 };
	enum err err;

	(void)message;
	/* An agent of ours learns here that its Subscribe will be answered at once. */
	wire_dialect_write(&agreed, &metadata);
	err = metadata.err != E_OK ? metadata.err : rpc_send_headers(call, &metadata);
	rpc_metadata_release(&metadata);
	buf_addf(&version, WIRE_VERSION_PREFIX "%s", p->options->version);
	response.version = (char *)buf_cstr(&version);
	if (err == E_OK)
		err = response.version ? pb_send(call, &response.base) : E_NOMEM;
	buf_release(&version);
	rpc_finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

static const struct rpc_method version_methods[] = {
	{ .path = WIRE_VERSION,
	  .kind = RPC_UNARY,
	  .on_open = on_open,
	  .on_message = on_version,
	  .message_max = RPC_SMALL_MESSAGE },
};

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static const struct rpc_file *const auth_files[] = { &wire_file_auth };
static const struct rpc_file *const version_files[] = { &wire_file_version };
static const struct rpc_file *const event_files[] = { &wire_file_eventstream, &wire_file_cloudevents, &wire_file_any,
						      &wire_file_timestamp };

/* Logs and terminals are not in it: nobody is asked for them, and a call is answered UNIMPLEMENTED. */
void services_init(struct principal *p)
{
	static struct rpc_service services[3];

	services[0] = (struct rpc_service){ .name = WIRE_AUTH_SERVICE,
					    .methods = auth_methods,
					    .method_count = auth_method_count,
					    .files = auth_files,
					    .file_count = ARRAY_LEN(auth_files),
					    .ctx = p };
	services[1] = (struct rpc_service){ .name = WIRE_VERSION_SERVICE,
					    .methods = version_methods,
					    .method_count = ARRAY_LEN(version_methods),
					    .files = version_files,
					    .file_count = ARRAY_LEN(version_files),
					    .ctx = p };
	services[2] = (struct rpc_service){ .name = WIRE_EVENTS_SERVICE,
					    .methods = event_methods,
					    .method_count = event_method_count,
					    .files = event_files,
					    .file_count = ARRAY_LEN(event_files),
					    .ctx = p };
	for (size_t i = 0; i < ARRAY_LEN(services); i++)
		p->services[p->service_count++] = &services[i];
}
