/*
 * hub_impl.h -- the inside of a hub. Internal to principal.
 *
 * Shape     hub.c         life, turns
 *           hub_agents.c  agents, and the session of each
 *           hub_route.c   objects, and whom they concern
 */
#pragma once

#include "principal/hub.h"
#include "sync/missed.h"

/* Objects that concern the same agent, or (name "") everybody. */
struct bucket {
	struct link objects;
	size_t name_n;
	char name[];
};

struct known_object {
	struct link in_bucket;
	struct link in_untold; /* its agent has not heard of it since the start */
	struct bucket *bucket;
	struct object *object;
	bool copy;                  /* hub_is_copy(), as agents were told last; at first as it came */
	enum mapping_reason reason; /* OK: an application that belongs to an agent, or anything else */
	uint64_t project;           /* of a repository: that of its project's name; 0: it has none */
	size_t key_n;
	char key[];
};

/* The backend lists what it has; then the agents are told of it, some in each turn; then they may come. */
enum hub_state { HUB_LISTING, HUB_TELLING, HUB_SYNCED };

#define HUB_TELL_MAX 256 /* objects in one turn */

struct hub {
	struct hub_options o;
	enum hub_state state;
	struct map agents;  /* by name */
	struct map objects; /* by kind, namespace, name */
	struct map buckets; /* by name */
	struct link ready;
	struct link stopped; /* agents of an older mode, until they are idle */
	struct link untold;  /* objects of single agents; those of all are told first */
	struct heap due;
	struct room peers;                      /* what all agents make us hold */
	struct missed missed;                   /* objects that are not in `objects` */
	uint64_t kinds[OBJECT_KIND_COUNT];      /* objects, by kind */
	uint64_t reasons[MAPPING_REASON_COUNT]; /* objects, by reason */
	uint64_t seed;
	bool turning;
	bool stopping;
};

#define AGENT_OF(l, member) CONTAINER_OF(l, struct hub_agent, member)

/* hub.c */
void hub_report(struct hub_agent *agent, struct object *o);
bool hub_concerns(const struct hub_agent *agent, const struct object *o);

/* Is it an autonomous agent's project? */
static inline bool hub_is_copy(const struct object *o)
{
	return o->kind == OBJECT_APPPROJECT && o->source_uid[0];
}

/* hub_agents.c */
void hub_agent_free(struct hub_agent *a);

/* Free agents of an older mode, and forgotten ones, of which nothing is under way any more; their rows go. True: for want of memory not all. */
bool hub_end_retired(struct hub *h);

/* hub_route.c: the backend's reports. */
extern const struct backend_watcher hub_watcher;

/* Tell an agent everything that concerns it. */
void hub_report_all(struct hub_agent *agent);

/* While agents are told: go on, as far as a turn goes; and is there more that can be told now? */
void hub_tell(struct hub *h);
bool hub_is_telling(const struct hub *h);

/* Does the AppProject of this name go to the agent? */
enum err hub_project_goes(void *hub, const char *project, const char *agent);
void hub_forget_objects(struct hub *h);

/* Look again at what had no memory, as far as it is due. */
void hub_look_again(struct hub *h, uint64_t now_ms);
