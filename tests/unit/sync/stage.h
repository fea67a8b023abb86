/*
 * stage.h -- one session on a memory backend, an instant clock and a disk that the test holds or lets go: the test plays its peer.
 *
 * Shape     stage_hear() is a message of the peer's; stage_expect() lets everything happen that can, and compares what the session said:
 *           a line for each message, "<type> <event id>" and what is worth seeing of its content; and one for each event that it
 *           cannot send.
 */
#pragma once

#include "ground.h"
#include "sync/missed.h"
#include "sync/session.h"

struct stage {
	struct ground g;
	struct role_config role;
	struct mapping_principal principal;
	struct mapping_agent site;
	struct patterns *everywhere;
	struct session *session;
	struct missed missed; /* what it had no memory for */
	uint64_t epoch;
	uint64_t connected_at;
	unsigned dialect;
	uint64_t message_max; /* from the next start on; 0: no limit */
	uint64_t outbox_max;  /* bytes, likewise; 0: the default */
	uint64_t peer_max;    /* the same of the peer, from the next stream on */
	enum err goes;        /* what the principal says of each project */
	bool bare;            /* the peer's creates say that its objects have no status; and what ours say is seen */
	bool backend_lists;   /* and does not say to be through */
	struct buf said;
	char asked[64]; /* id of the last request that it made */
};

/* A session of this end, synced and with a stream, whose first words (its comparison) are taken already. */
void stage_begin(struct stage *st, enum role_end end, unsigned dialect);
void stage_end(struct stage *st);

/* The process dies and comes back; what was not durable is gone. No stream yet. */
void stage_restart(struct stage *st);
void stage_connect(struct stage *st);

/* Both. */
void stage_come_back(struct stage *st);

/* What a person does to the backend: JSON with ' for ". Its UID is the one it brings, or what is there has. */
void stage_put(struct stage *st, const char *json);
void stage_remove(struct stage *st, const char *namespace, const char *name);

/* A message about an application; `version` with a suffix for commands. `json` as above. */
void stage_hear(struct stage *st, enum wire_type type, const char *id, const char *version, const char *json);
void stage_hear_project(struct stage *st, enum wire_type type, const char *id, const char *version, const char *json);

/* A request "q" for something that is no resource of the sync. */
void stage_request(struct stage *st, enum wire_target target, enum wire_type type, const char *json);

/* A question of a comparison, under this id. */
void stage_ask(struct stage *st, enum wire_type type, const char *id, const char *json);

/* The peer's answer to "<id>_<version>": applied, or rejected for good. */
void stage_answer(struct stage *st, const char *id, const char *version, bool applied);

/* The peer's answer to the last request. */
void stage_answer_request(struct stage *st);

void stage_run(struct stage *st, uint64_t ms);
void stage_expect(struct stage *st, const char *text);

/* It has said this, among other things, which stay; and the same after everything has happened that can. */
void stage_said(struct stage *st, const char *text);
void stage_expect_among(struct stage *st, const char *text);

/* An application of the backend, as it says on this dotted path; "" when it is not there. Borrowed until the next call. */
const char *stage_at(struct stage *st, const char *namespace, const char *name, const char *path);
