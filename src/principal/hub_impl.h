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
	struct bucket *bucket;
	struct object *object;
	enum mapping_reason reason; /* OK: an application that belongs to an agent, or anything else */
	size_t key_n;
	char key[];
};

struct hub {
	struct hub_options o;
	struct map agents;  /* by name */
	struct map objects; /* by kind, namespace, name */
	struct map buckets; /* by name */
	struct link ready;
	struct link stopped; /* agents of an older mode, until they are idle */
	struct heap due;
	struct missed missed;                   /* objects that are not in `objects` */
	uint64_t kinds[OBJECT_KIND_COUNT];      /* objects, by kind */
	uint64_t reasons[MAPPING_REASON_COUNT]; /* objects, by reason */
	uint64_t seed;
	bool synced;
	bool turning;
	bool stopping;
};

/* hub.c */
void hub_report(struct hub_agent *agent, struct object *o);

/* hub_agents.c */
void hub_agent_free(struct hub_agent *a);

/* hub_route.c: the backend's reports. */
extern const struct backend_watcher hub_watcher;

/* Tell an agent everything that concerns it. */
void hub_report_all(struct hub_agent *agent);

/* Does the AppProject of this name go to the agent? */
bool hub_project_goes(void *hub, const char *project, const char *agent);
void hub_forget_objects(struct hub *h);

/* Look again at what had no memory, as far as it is due. */
void hub_look_again(struct hub *h, uint64_t now_ms);
