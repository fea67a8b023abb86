#include "bus/js_stream.h"

#include "base/mem.h"
#include "bus/js_said.h"
#include "bus/subject.h"

#define ANSWER_MS 2000

static void free_context(jsCtx **js)
{
	jsCtx_Destroy(*js);
}

static enum err context(natsConnection *nc, jsCtx **ret_js, struct why *why)
{
	jsOptions options;

	if (jsOptions_Init(&options))
		return why_set(why, E_NOMEM, "JetStream");
	options.Wait = ANSWER_MS;
	if (natsConnection_JetStream(ret_js, nc, &options))
		return why_set(why, E_NOMEM, "JetStream");
	return E_OK;
}

static enum err explain(struct trouble *said, natsStatus s, jsErrCode code, const char *what, struct why *why)
{
	CLEANUP(buf_release) struct buf text = { 0 };

	trouble_write(said, &text);
	if (s == NATS_NO_RESPONDERS || code == JSNotEnabledErr || code == JSNotEnabledForAccountErr)
		return why_set(why, E_UNAVAILABLE,
			       "%s: JetStream is not enabled on the server, or not for this account", what);
	if (code)
		return why_set(why, E_UNAVAILABLE, "%s: %.200s (%d)", what, js_said_by_library(s), (int)code);
	if (s == NATS_TIMEOUT && text.n) /* a user without the permission gets no other answer */
		return why_set(why, E_UNAVAILABLE, "%s: no answer; the server said: %.*s", what,
			       STR_ARG(buf_view(&text)));
	return why_set(why, E_UNAVAILABLE, "%s: %s", what, natsStatus_GetText(s));
}

enum err js_stream_check(natsConnection *nc, struct trouble *said, struct why *why)
{
	CLEANUP(free_context) jsCtx *js = NULL;
	jsStreamInfo *info = NULL;
	jsErrCode code = 0;
	enum err err = context(nc, &js, why);
	natsStatus s;

	if (err)
		return err;
	s = js_GetStreamInfo(&info, js, SUBJECT_STREAM, NULL, &code);
	jsStreamInfo_Destroy(info);
	if (s == NATS_OK)
		return E_OK;
	if (code == JSStreamNotFoundErr || (s == NATS_NOT_FOUND && !code))
		return why_set(why, E_NOT_FOUND, "there is no stream \"%s\"", SUBJECT_STREAM);
	return explain(said, s, code, "look for the stream \"" SUBJECT_STREAM "\"", why);
}

enum err js_stream_create(natsConnection *nc, const struct jetstream_config *config, struct trouble *said,
			  struct why *why)
{
	CLEANUP(free_context) jsCtx *js = NULL;
	const char *subjects[] = { SUBJECT_ALL };
	jsStreamConfig stream;
	jsErrCode code = 0;
	enum err err = context(nc, &js, why);
	natsStatus s;

	if (err)
		return err;
	(void)jsStreamConfig_Init(&stream);
	stream.Name = SUBJECT_STREAM;
	stream.Subjects = subjects;
	stream.SubjectsLen = 1;
	stream.Retention = config->retention == 2   ? js_WorkQueuePolicy
			   : config->retention == 1 ? js_InterestPolicy
						    : js_LimitsPolicy;
	stream.Discard = config->discard == 1 ? js_DiscardNew : js_DiscardOld;
	stream.Storage = js_FileStorage;
	stream.MaxConsumers = 0;
	stream.MaxMsgs = config->max_msgs;
	stream.MaxBytes = config->max_bytes;
	stream.MaxAge = (int64_t)config->max_age_ns;
	stream.MaxMsgsPerSubject = 0;
	stream.MaxMsgSize = 0;
	stream.Replicas = config->replicas;
	stream.Duplicates = (int64_t)config->duplicates_ns;
	s = js_AddStream(NULL, js, &stream, NULL, &code);
	if (s == NATS_OK || code == JSStreamNameExistErr)
		return E_OK;
	return explain(said, s, code, "create the stream \"" SUBJECT_STREAM "\"", why);
}
