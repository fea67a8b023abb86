/*
 * rest.h -- what the providers' files share: hooks that lie in a list, each below its own id, written as JSON.
 */
#pragma once

#include "gateway/hooks/plan.h"
#include "gateway/hooks/text.h"

/* GET <path>?<cursor>, or ?<provider->first> for the first page. */
void rest_list(const struct hook *h, struct str cursor, struct hook_request *r);

/* POST <path>, or <method> <path>/<id>. The body is the caller's. */
void rest_write(const struct hook *h, struct str id, const char *method, struct hook_request *r);

/* DELETE <path>/<id>. */
void rest_remove(const struct hook *h, struct str id, struct hook_request *r);

/* The member `id` of what was made. */
struct str rest_made(const struct hook_answer *a, struct buf *arena);

/* Calls `see` for each object in an array. E_MALFORMED: it is no array. `arena` is empty for each. */
enum err rest_each(struct hook *h, struct str array, void (*see)(struct hook *h, struct str item, struct buf *arena),
		   struct why *why);

/* Append ,"name":"text" and ,"name":true. */
void rest_text(struct hook_request *r, const char *name, struct str text);
void rest_flag(struct hook_request *r, const char *name, bool value);
