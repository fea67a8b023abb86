#include "rpc/reflection.h"

#include "base/mem.h"
#include "reflection.pb-c.h"
#include "rpc/files.h"
#include "rpc/pb.h"
#include "rpc/symbols.h"

#define FILES_MAX 64 /* in one answer */

typedef Grpc__Reflection__V1__ServerReflectionRequest request_type;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_type;

struct rpc_reflection {
	struct rpc_service v1;
	struct rpc_service alpha;
	struct symbols symbols;
	size_t name_count;
	const char *names[]; /* of all services */
};

static void open_call(struct rpc_call *call, void *ctx)
{
	rpc_set_user(call, ctx);
}

/* What every answer begins with. */
static response_type response_to(request_type *request)
{
	response_type response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;

	response.valid_host = request->host;
	response.original_request = request;
	return response;
}

static enum err answer_error(struct rpc_call *call, request_type *request, enum rpc_code code, const char *text)
{
	response_type response = response_to(request);
	Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

	error.error_code = code;
	error.error_message = (char *)(uintptr_t)text;
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	response.error_response = &error;
	return pb_send(call, &response.base);
}

/* `file` NULL: unknown. */
static enum err answer_file(struct rpc_call *call, request_type *request, const struct symbols_file *file)
{
	response_type response = response_to(request);
	const struct rpc_reflection *r = rpc_user(call);
	Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
	const struct rpc_file *list[FILES_MAX];
	ProtobufCBinaryData bytes[FILES_MAX];

	if (!file)
		return answer_error(call, request, RPC_NOT_FOUND, "unknown file or symbol");
	files.n_file_descriptor_proto = symbols_closure(&r->symbols, file, list, FILES_MAX);
	for (size_t i = 0; i < files.n_file_descriptor_proto; i++)
		bytes[i] = (ProtobufCBinaryData){ list[i]->descriptor.n, (uint8_t *)(uintptr_t)list[i]->descriptor.p };
	files.file_descriptor_proto = bytes;
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
	response.file_descriptor_response = &files;
	return pb_send(call, &response.base);
}

static enum err answer_list(struct rpc_call *call, request_type *request)
{
	response_type response = response_to(request);
	const struct rpc_reflection *r = rpc_user(call);
	Grpc__Reflection__V1__ListServiceResponse list = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	Grpc__Reflection__V1__ServiceResponse *rows = mem_array(r->name_count, sizeof(*rows));
	Grpc__Reflection__V1__ServiceResponse **pointers = mem_array(r->name_count, sizeof(*pointers));
	enum err err = E_NOMEM;

	for (size_t i = 0; rows && pointers && i < r->name_count; i++) {
		grpc__reflection__v1__service_response__init(&rows[i]);
		rows[i].name = (char *)(uintptr_t)r->names[i];
		pointers[i] = &rows[i];
	}
	list.n_service = r->name_count;
	list.service = pointers;
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response.list_services_response = &list;
	if (rows && pointers)
		err = pb_send(call, &response.base);
	mem_free(rows);
	mem_free(pointers);
	return err;
}

static enum err answer(struct rpc_call *call, request_type *request)
{
	const struct rpc_reflection *r = rpc_user(call);

	switch (request->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		return answer_file(call, request, symbols_of_file(&r->symbols, str_of(request->file_by_filename)));
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		return answer_file(call, request,
				   symbols_of_name(&r->symbols, str_of(request->file_containing_symbol)));
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		return answer_list(call, request);
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		return answer_error(call, request, RPC_NOT_FOUND, "there are no extensions");
	default:
		return answer_error(call, request, RPC_INVALID_ARGUMENT, "the request asks for nothing");
	}
}

/* A client that asks and does not read is told that it was too much: nobody who means well fills the queue with questions. */
static void on_message(struct rpc_call *call, struct str message)
{
	request_type *request = NULL;
	enum err err = pb_read(&grpc__reflection__v1__server_reflection_request__descriptor, message,
			       (ProtobufCMessage **)&request);

	if (err == E_OK)
		err = answer(call, request);
	pb_free((ProtobufCMessage *)request);
	if (err == E_BUSY)
		rpc_finish(call, RPC_RESOURCE_EXHAUSTED, STR("answers are not being read"), NULL);
	else if (err != E_OK)
		rpc_finish(call, rpc_code_of_err(err), (struct str){ 0 }, NULL);
}

static void on_half_close(struct rpc_call *call)
{
	rpc_finish(call, RPC_OK, (struct str){ 0 }, NULL);
}

#define METHOD(version)                                                                                         \
	{                                                                                                       \
		.path = "/grpc.reflection." version ".ServerReflection/ServerReflectionInfo", .kind = RPC_BIDI, \
		.on_open = open_call, .on_message = on_message, .on_half_close = on_half_close,                 \
		.message_max = RPC_SMALL_MESSAGE,                                                               \
	}

static const struct rpc_method methods_v1[] = { METHOD("v1") };
static const struct rpc_method methods_alpha[] = { METHOD("v1alpha") };
static const struct rpc_file *const files_v1[] = { &rpc_file_reflection };
static const struct rpc_file *const files_alpha[] = { &rpc_file_reflection_alpha };

static enum err add_service(struct rpc_reflection *r, const struct rpc_service *service)
{
	enum err err = E_OK;

	r->names[r->name_count++] = service->name;
	for (size_t i = 0; i < service->file_count && err == E_OK; i++)
		err = symbols_add(&r->symbols, service->files[i]);
	return err;
}

void rpc_reflection_free(struct rpc_reflection *r)
{
	if (!r)
		return;
	symbols_release(&r->symbols);
	mem_free(r);
}

DEFINE_FREEP(reflection, struct rpc_reflection, rpc_reflection_free)

enum err rpc_reflection_new(const struct rpc_service *const *services, size_t count, struct rpc_reflection **ret)
{
	CLEANUP(reflection_freep) struct rpc_reflection *r = mem_alloc(sizeof(*r) + (count + 2) * sizeof(r->names[0]));
	enum err err;

	if (!r)
		return E_NOMEM;
	r->v1 = (struct rpc_service){ "grpc.reflection.v1.ServerReflection", methods_v1, 1, files_v1, 1, r };
	r->alpha = (struct rpc_service){
		"grpc.reflection.v1alpha.ServerReflection", methods_alpha, 1, files_alpha, 1, r
	};
	err = add_service(r, &r->v1);
	if (err == E_OK)
		err = add_service(r, &r->alpha);
	for (size_t i = 0; i < count && err == E_OK; i++)
		err = add_service(r, services[i]);
	if (err == E_OK)
		*ret = TAKE(r);
	return err;
}

const struct rpc_service *rpc_reflection_service(const struct rpc_reflection *r)
{
	return &r->v1;
}

const struct rpc_service *rpc_reflection_service_alpha(const struct rpc_reflection *r)
{
	return &r->alpha;
}
