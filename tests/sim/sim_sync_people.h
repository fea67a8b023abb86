/*
 * sim_sync_people.h -- what those files share that play people and controllers.
 *
 * Shape     sim_sync_people.c   who does what, and when
 *           sim_sync_story.c    what is promised of an object that people made
 *           sim_sync_edit.c     what anybody does to an object: change, delete, undo
 *           sim_sync_truth.c    people at the source of truth
 *           sim_sync_copies.c   people at the copies, and the controllers of the agents
 *           sim_sync_restore.c  who goes back in time, or begins anew
 */
#pragma once

#include "sim_sync.h"

#define APPLICATIONS_MAX 64

/* -- sim_sync_story.c -- */

/* It is deleted, moved away or excluded: its copy may go, and its operations are nobody's promise any more. */
void story_unwanted(struct sim *s, const struct object *o);

/* Its operations are not: the copy they were on is gone. */
void story_closed(struct sim *s, const char *uid);

/* -- sim_sync_edit.c -- */

/* A member that is an object; it is made when it is missing. */
json_object *ensure(json_object *tree, const char *key);

/* NULL: none. */
void set_text(json_object *tree, const char *key, const char *value);
const char *text_at(json_object *tree, const char *a, const char *b, const char *c);

/* A text that there was not yet, into `text`. */
char *number_text(struct sim *s, char *text, size_t n, const char *prefix);

/* So many of them. */
void set_finalizers(json_object *tree, unsigned n);

/* What is in its place; NULL: nothing. */
struct object *still_there(const struct end *e, const struct object *o);

/* Somebody puts `tree`, which is released. */
void people_edit(struct end *e, enum object_kind kind, json_object *tree, const char *what);

/* Somebody deletes it: what has finalizers stays for a while. */
void people_delete(struct end *e, const struct object *o);

/* The process is down: it is no longer there when it comes back, whatever holds it. */
void people_drop(struct end *e, const struct object *o);

/* One of this namespace ("": any) that chance finds; NULL. */
struct object *people_any(struct sim *s, const struct memory_store *store, const char *namespace);

/* References to all of a store. */
size_t people_applications(const struct memory_store *store, struct object *ret_all[static APPLICATIONS_MAX]);

/* -- sim_sync_truth.c -- */

/* Of the agent's applications at the principal. */
const char *people_namespace(const struct sim *s, const struct agent *a);

/* The application of this name that is the agent's truth; NULL. */
struct object *people_original(struct sim *s, struct agent *a, const char *name);

/* May an operation be asked for; and ask for one, in `tree`. */
bool people_may_operate(const struct sim *s, const struct story *story, json_object *tree);
void people_operate(struct sim *s, struct story *story, struct agent *a, json_object *tree);

/* In `tree`: another spec; excluded when it was not. */
void people_change_spec(struct sim *s, json_object *tree);
void people_toggle(struct sim *s, const struct object *o, json_object *tree);

/* Somebody does this at the source of truth of the agent. */
void truth_change_app(struct sim *s, struct agent *a);
void truth_change_much(struct sim *s, struct agent *a);
void truth_move_app(struct sim *s, struct agent *a);
void truth_change_shared(struct sim *s);
void truth_change_project(struct sim *s, struct agent *a);

/* -- sim_sync_copies.c -- */

/* Somebody edits or deletes `o` (NULL: nothing), if it is a copy. */
void copies_drift(struct sim *s, struct end *e, struct object *o);

/* An operation of the agent's own people; one, or a refresh, that is asked for at the principal; the end of one. */
void copies_operate(struct sim *s, struct agent *a);
void copies_command(struct sim *s, struct agent *a);
void copies_terminate(struct sim *s);

/* The agent's controller looks at one of its applications. */
void copies_reconcile(struct sim *s, struct agent *a);
