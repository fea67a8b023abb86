/*
 * recent.h -- the trees of the objects that were used last. Internal to objects.
 *
 * Shape     what comes is looked at several times in a row, by the rules, the backend and the source; what rests is kept as text
 *           alone. So the trees of some hundred objects stay until others take their place, first in, first out; one that is larger
 *           than all of them together may have, until the next is looked at.
 * Owner     one reference to each tree; the object says where it stands (object.tree, object.slot).
 * Threads   each thread has its own: an object's tree is used in the thread that uses the object.
 */
#pragma once

#include "backend/object.h"

#define RECENT_OBJECTS 512
#define RECENT_BYTES   (512u << 10) /* of their texts; a tree takes about twenty times as much */

/* Keep the tree as the object's, with a reference of its own. It has none yet. */
void recent_keep(struct object *o, json_object *tree);

/* The object goes. */
void recent_forget(struct object *o);
