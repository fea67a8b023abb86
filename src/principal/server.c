#include "version.pb-c.h"

#include "auth/expiry.h"
#include "base/mem.h"
#include "net/descriptors.h"
#include "net/listen.h"
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
static void services_init(struct principal *p)
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

/* ---- the server ------------------------------------------------------------------------------------------------- */

static enum err open_tls(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	struct tls_options tls = { .cert = p->credentials.cert,
				   .key = p->credentials.key,
				   .ca = p->credentials.ca,
				   .alpn = "h2",
				   .min = o->tls_min,
				   .max = o->tls_max,
				   .suites = o->tls_suites,
				   .verify = o->require_client_certs  ? TLS_VERIFY_REQUIRED
					     : p->credentials.ca.name ? TLS_VERIFY_IF_GIVEN
								      : TLS_VERIFY_NONE };

	expiry_tell(PRINCIPAL_LOG, p->daemon.metrics, &tls.cert);
	if (o->insecure_plaintext || tls_server_open(&tls, why, &p->tls) == E_OK)
		return E_OK;
	return why_add(why, "--tls-cert, --tls-key, --root-ca-path, --tls-ciphersuites");
}

#define STRANGER_MEMORY (64 << 10) /* of a connection without a login: several times what one takes */

/* Connections must leave descriptors for the files that are written for those who came first. */
static struct rpc_limits limits_of(const struct principal_options *o)
{
	struct rpc_limits limits = rpc_limits_default();
	uint64_t open_files = descriptors_raise(), conns = descriptors_for(open_files, limits.conns_max);

	if (conns < limits.conns_max)
		log_warn(PRINCIPAL_LOG, "the limit of open files allows fewer connections",
			 LOG_U("open_files", open_files), LOG_U("connections", conns));
	limits.conns_max = (uint32_t)conns;
	limits.message_max = (size_t)o->grpc_max_message_size;
	limits.stranger_memory = STRANGER_MEMORY;
	return limits;
}

enum err server_start(struct principal *p, struct why *why)
{
	const struct principal_options *o = p->options;
	struct rpc_server_options options = {
		.limits = limits_of(o), .metrics = p->daemon.metrics, .on_tls_failed = observe_tls_failed, .ctx = p
	};
	enum err err = open_tls(p, why);
	int fd;

	if (err != E_OK)
		return err;
	services_init(p);
	p->health = rpc_health_new();
	if (!p->health || rpc_reflection_new(p->services, p->service_count, &p->reflection) != E_OK)
		return why_set(why, E_NOMEM, "start");
	p->services[p->service_count++] = rpc_health_service(p->health);
	p->services[p->service_count++] = rpc_reflection_service(p->reflection);
	p->services[p->service_count++] = rpc_reflection_service_alpha(p->reflection);
	options.tls = p->tls;
	options.services = p->services;
	options.service_count = p->service_count;
	err = listen_open(str_of(o->listen_host), (uint16_t)o->listen_port, /* share= */ false, why, &fd);
	return err == E_OK ? rpc_server_start(&p->daemon.loop, fd, &options, why, &p->server) : err;
}

void server_reload(struct principal *p)
{
	struct why why = { 0 };

	if (p->tls && tls_server_reload(p->tls, &why) != E_OK)
		log_error(PRINCIPAL_LOG, "the certificate stays as it was", LOG_WHY(&why));
	expiry_tell(PRINCIPAL_LOG, p->daemon.metrics, &p->credentials.cert);
}
