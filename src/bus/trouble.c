#include "bus/trouble.h"

#include <string.h>

void trouble_init(struct trouble *t)
{
	*t = (struct trouble){ 0 };
	pthread_mutex_init(&t->lock, NULL);
}

void trouble_release(struct trouble *t)
{
	pthread_mutex_destroy(&t->lock);
}

bool trouble_set(struct trouble *t, const struct why *why)
{
	bool news;

	pthread_mutex_lock(&t->lock);
	news = t->last.err == E_OK || strcmp(t->last.text, why->text) != 0;
	t->last = *why;
	pthread_mutex_unlock(&t->lock);
	return news;
}

void trouble_clear(struct trouble *t)
{
	pthread_mutex_lock(&t->lock);
	t->last = (struct why){ 0 };
	pthread_mutex_unlock(&t->lock);
}

void trouble_write(struct trouble *t, struct buf *ret_text)
{
	pthread_mutex_lock(&t->lock);
	buf_str(ret_text, str_of(t->last.text));
	pthread_mutex_unlock(&t->lock);
}
