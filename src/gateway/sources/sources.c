#include "base/mem.h"
#include "gateway/sources/source.h"

const struct source_ops *const sources[] = {
	&source_cloudevents, &source_webhook,         &source_github, &source_gitlab,
	&source_bitbucket,   &source_bitbucketserver, &source_gerrit, &source_slack,
	&source_sns,         &source_storagegrid,     &source_stripe, NULL,
};

/* Every type that an EventSource may name (facts argo-events 5). */
static const char *const upstream[] = {
	"amqp",
	"azureEventsHub",
	"azureQueueStorage",
	"azureServiceBus",
	"bitbucket",
	"bitbucketserver",
	"calendar",
	"emitter",
	"file",
	"generic",
	"gerrit",
	"github",
	"gitlab",
	"hdfs",
	"kafka",
	"minio",
	"mns",
	"mqtt",
	"nats",
	"nsq",
	"pubSub",
	"pulsar",
	"redis",
	"redisStream",
	"resource",
	"sftp",
	"slack",
	"sns",
	"sqs",
	"storageGrid",
	"stripe",
	"webhook",
};

const struct source_ops *source_find(struct str kind, bool own)
{
	for (size_t i = 0; sources[i]; i++)
		if (sources[i]->own == own && str_is(kind, sources[i]->kind))
			return sources[i];
	return NULL;
}

const struct secret_ref *source_secret_refs(const struct source_secret *s, const void *settings, size_t *ret_count)
{
	const void *at = (const char *)settings + s->offset;
	const struct secret_list *list = at;
	const struct secret_ref *ref = at;

	*ret_count = s->list ? list->count : ref->path != NULL;
	return s->list ? list->items : ref;
}

bool source_is_upstream(struct str kind)
{
	for (size_t i = 0; i < ARRAY_LEN(upstream); i++)
		if (str_is(kind, upstream[i]))
			return true;
	return false;
}

const char *source_nearest(struct str kind)
{
	const char *nearest = NULL;
	unsigned least = kind.n < 6 ? 2 : 3; /* further away it is another word */

	for (size_t i = 0; i < ARRAY_LEN(upstream); i++) {
		unsigned distance = str_distance(kind, str_of(upstream[i]));

		if (distance < least) {
			least = distance;
			nearest = upstream[i];
		}
	}
	return nearest;
}
