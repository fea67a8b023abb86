#include <stdio.h>

#include "base/mem.h"
#include "sim_sync_people.h"

struct story *story_of(struct sim *s, const char *uid)
{
	struct story *story = map_get(&s->stories, str_of(uid));

	if (story || !uid[0])
		return story;
	story = sim_alloc(s, sizeof(*story));
	(void)snprintf(story->uid, sizeof(story->uid), "%s", uid);
	if (map_put(&s->stories, str_of(story->uid), story) != E_OK)
		sim_broken(s, "no memory");
	return story;
}

void story_free_all(struct sim *s)
{
	const struct map_entry *e;
	size_t at = 0;

	while ((e = map_next(&s->stories, &at)))
		mem_free(e->value);
	map_release(&s->stories);
}

struct story *story_about(struct sim *s, const struct object *o)
{
	return story_of(s, o->source_uid[0] ? o->source_uid : o->uid);
}

void story_unwanted(struct sim *s, const struct object *o)
{
	struct story *stories[] = { o ? story_of(s, o->uid) : NULL, o ? story_about(s, o) : NULL };

	for (size_t i = 0; i < ARRAY_LEN(stories); i++)
		if (stories[i])
			stories[i]->unwanted = stories[i]->closed = true;
}

void story_closed(struct sim *s, const char *uid)
{
	struct story *story = story_of(s, uid);

	if (story)
		story->closed = true;
}
