#include "rpc/health.h"

#include "base/map.h"
#include "base/mem.h"
#include "health.pb-c.h"
#include "rpc/files.h"
#include "rpc/pb.h"

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

struct named {
	char *name;
	serving_status status;
};

struct rpc_health {
	struct rpc_service service;
	struct map names; /* struct named by name */
	struct watcher *watchers;
};

/* One open Watch. */
struct watcher {
	struct rpc_health *health;
	struct rpc_call *call;
	struct watcher *prev, *next;
	char *name; /* NULL: the request has not come */
	serving_status told;
	bool has_told;
};

static serving_status status_of(const struct rpc_health *h, struct str name)
{
	const struct named *named = map_get(&h->names, name);

	return named ? named->status : SERVICE_UNKNOWN;
}

static enum err send_status(struct rpc_call *call, serving_status status)
{
	Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	response.status = status;
	return pb_send(call, &response.base);
}

static enum err read_request(struct str message, Grpc__Health__V1__HealthCheckRequest **ret_request)
{
	return pb_read(&grpc__health__v1__health_check_request__descriptor, message, (ProtobufCMessage **)ret_request);
}

static void open_check(struct rpc_call *call, void *ctx)
{
	rpc_set_user(call, ctx);
}

static void check(struct rpc_call *call, struct str message)
{
	const struct rpc_health *h = rpc_user(call);
	Grpc__Health__V1__HealthCheckRequest *request = NULL;
	enum err err = read_request(message, &request);
	serving_status status = err == E_OK ? status_of(h, str_of(request->service)) : SERVICE_UNKNOWN;

	pb_free((ProtobufCMessage *)request);
	if (err == E_OK)
		err = status == SERVICE_UNKNOWN ? E_NOT_FOUND : send_status(call, status);
	rpc_finish(call, rpc_code_of_err(err), err == E_NOT_FOUND ? STR("unknown service") : (struct str){ 0 }, NULL);
}

static void watcher_free(struct watcher *w)
{
	if (w->next)
		w->next->prev = w->prev;
	if (w->prev)
		w->prev->next = w->next;
	else
		w->health->watchers = w->next;
	mem_free(w->name);
	mem_free(w);
}

static void open_watch(struct rpc_call *call, void *ctx)
{
	struct rpc_health *h = ctx;
	struct watcher *w = mem_alloc(sizeof(*w));

	if (!w) {
		rpc_finish(call, RPC_RESOURCE_EXHAUSTED, STR("out of memory"), NULL);
		return;
	}
	*w = (struct watcher){ .health = h, .call = call, .next = h->watchers };
	if (w->next)
		w->next->prev = w;
	h->watchers = w;
	rpc_set_user(call, w);
}

static void end_watch(struct watcher *w, enum err err)
{
	struct rpc_call *call = w->call;

	watcher_free(w);
	rpc_finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

/* Tell what changed; a watcher whose queue is full hears the newest when there is room. */
static void tell(struct watcher *w)
{
	serving_status status = w->name ? status_of(w->health, str_of(w->name)) : SERVICE_UNKNOWN;
	enum err err;

	if (!w->name || (w->has_told && w->told == status))
		return;
	err = send_status(w->call, status);
	if (err == E_OK) {
		w->told = status;
		w->has_told = true;
	} else if (err != E_BUSY) {
		end_watch(w, err);
	}
}

static void watch(struct rpc_call *call, struct str message)
{
	struct watcher *w = rpc_user(call);
	Grpc__Health__V1__HealthCheckRequest *request = NULL;
	enum err err = read_request(message, &request);

	if (err == E_OK) {
		w->name = str_dup(str_of(request->service));
		err = w->name ? E_OK : E_NOMEM;
	}
	pb_free((ProtobufCMessage *)request);
	if (err == E_OK)
		tell(w);
	else
		end_watch(w, err);
}

static void go_on_watching(struct rpc_call *call)
{
	tell(rpc_user(call));
}

static void cancel_watch(struct rpc_call *call)
{
	watcher_free(rpc_user(call));
}

static const struct rpc_method methods[] = {
	{ .path = "/grpc.health.v1.Health/Check",
	  .kind = RPC_UNARY,
	  .on_open = open_check,
	  .on_message = check,
	  .message_max = RPC_SMALL_MESSAGE },
	{ .path = "/grpc.health.v1.Health/Watch",
	  .kind = RPC_SERVER_STREAM,
	  .on_open = open_watch,
	  .on_message = watch,
	  .on_writable = go_on_watching,
	  .on_cancel = cancel_watch,
	  .message_max = RPC_SMALL_MESSAGE },
};

static const struct rpc_file *const files[] = { &rpc_file_health };

void rpc_health_free(struct rpc_health *h)
{
	const struct map_entry *entry;

	if (!h)
		return;
	for (size_t at = 0; (entry = map_next(&h->names, &at));) {
		struct named *named = entry->value;

		mem_free(named->name);
		mem_free(named);
	}
	map_release(&h->names);
	mem_free(h);
}

struct rpc_health *rpc_health_new(void)
{
	struct rpc_health *h = mem_alloc(sizeof(*h));

	if (!h)
		return NULL;
	h->service = (struct rpc_service){ .name = "grpc.health.v1.Health",
					   .methods = methods,
					   .method_count = ARRAY_LEN(methods),
					   .files = files,
					   .file_count = ARRAY_LEN(files),
					   .ctx = h };
	if (rpc_health_set(h, "", false) != E_OK) {
		rpc_health_free(h);
		return NULL;
	}
	return h;
}

const struct rpc_service *rpc_health_service(const struct rpc_health *h)
{
	return &h->service;
}

static enum err add(struct rpc_health *h, const char *name, serving_status status)
{
	struct named *named = mem_alloc(sizeof(*named));

	if (named)
		*named = (struct named){ str_dup(str_of(name)), status };
	if (named && named->name && map_put(&h->names, str_of(named->name), named) == E_OK)
		return E_OK;
	if (named)
		mem_free(named->name);
	mem_free(named);
	return E_NOMEM;
}

enum err rpc_health_set(struct rpc_health *h, const char *name, bool serving)
{
	struct named *named = map_get(&h->names, str_of(name));
	serving_status status = serving ? SERVING : NOT_SERVING;
	struct watcher *next;

	if (!named && add(h, name, status) != E_OK)
		return E_NOMEM;
	if (named)
		named->status = status;
	for (struct watcher *w = h->watchers; w; w = next) {
		next = w->next;
		tell(w);
	}
	return E_OK;
}
