#include "backend/recent.h"

#include <assert.h>

#include "base/mem.h"

static _Thread_local struct {
	struct object *objects[RECENT_OBJECTS]; /* NULL: gone meanwhile */
	size_t next;                            /* the slot that was used longest ago */
	size_t bytes;
} recent;

/* Who changes a shared tree changes what others see. Too dear for every day: in the builds that look for such things. */
static void check(const struct object *o)
{
#ifdef SANITIZED
	CLEANUP(buf_release) struct buf text = { 0 };

	assert(tree_write(o->tree, &text, NULL) != E_OK || str_eq(buf_view(&text), blob_view(o->json)));
#else
	(void)o;
#endif
}

void recent_forget(struct object *o)
{
	if (!o->tree)
		return;
	check(o);
	recent.objects[o->slot] = NULL;
	recent.bytes -= o->json->n;
	json_object_put(TAKE(o->tree));
}

/* The slot that comes next, empty. */
static size_t take_slot(void)
{
	size_t slot = recent.next;

	recent.next = (slot + 1) % RECENT_OBJECTS;
	if (recent.objects[slot])
		recent_forget(recent.objects[slot]);
	return slot;
}

void recent_keep(struct object *o, json_object *tree)
{
	size_t slot = take_slot();

	for (size_t i = recent.next; recent.bytes && recent.bytes + o->json->n > RECENT_BYTES;
	     i = (i + 1) % RECENT_OBJECTS)
		if (recent.objects[i])
			recent_forget(recent.objects[i]);
	o->slot = (unsigned short)slot;
	o->tree = json_object_get(tree);
	recent.objects[slot] = o;
	recent.bytes += o->json->n;
}
