#include "gateway/hooks/plan.h"

#include <assert.h>

#include "base/mem.h"
#include "gateway/hooks/text.h"
#include "gateway/sources/source.h"

static const struct hook_kind *const kinds[] = {
	&hook_kind_bitbucket, &hook_kind_bitbucketserver, &hook_kind_gerrit, &hook_kind_github, &hook_kind_gitlab,
	&hook_kind_sns,       &hook_kind_storagegrid,     &hook_kind_stripe,
};

const struct hook_kind *hook_kind_find(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(str_of(kinds[i]->kind), str_of(kind)))
			return kinds[i];
	return NULL;
}

void hook_plan_fill(struct buf *b, const char *pattern, const struct str names[static 2], bool encode)
{
	size_t used = 0;

	for (; *pattern; pattern++) {
		if (*pattern != '*') {
			buf_char(b, *pattern);
			continue;
		}
		assert(used < 2);
		if (encode)
			text_encode(b, names[used++]);
		else
			buf_str(b, names[used++]);
	}
}

static char *filled(const char *pattern, const struct str names[static 2], bool encode)
{
	struct buf b = { 0 };
	char *text;

	hook_plan_fill(&b, pattern, names, encode);
	text = b.err == E_OK ? str_dup(buf_view(&b)) : NULL;
	buf_release(&b);
	return text;
}

void hook_plan_add(struct hook_plan *p, const struct hook_provider *provider, const char *path, const char *place,
		   const char *first, const char *second)
{
	const struct str names[] = { str_of(first), str_of(second) };
	struct hook_plan_place *more;

	if ((strchr(path, '*') && !first) || (strchr(path, '*') != strrchr(path, '*') && !second))
		return;
	more = mem_realloc(p->places, (p->count + 1) * sizeof(*more));
	if (!more) {
		p->err = E_NOMEM;
		return;
	}
	p->places = more;
	more += p->count++;
	*more = (struct hook_plan_place){ provider, filled(path, names, true), filled(place, names, false) };
	if (!more->path || !more->place)
		p->err = E_NOMEM;
}

/* ... at its end. */
static struct str without_slashes(const char *address)
{
	struct str s = str_of(address);

	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	return s;
}

void hook_plan_base(struct hook_plan *p, const char *base)
{
	buf_str(&p->login.base, without_slashes(base));
}

void hook_plan_release(struct hook_plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		mem_free(p->places[i].path);
		mem_free(p->places[i].place);
	}
	mem_free(p->places);
	buf_release(&p->login.base);
	*p = (struct hook_plan){ 0 };
}

void hook_plan_route(const struct route_config *route, struct hook_plan *ret_plan)
{
	const struct hook_kind *kind = hook_kind_find(route->ops->kind);

	*ret_plan = (struct hook_plan){ .login = { .ca_path = route->hooks.ca } };
	if (!kind || !route->url || !*route->url || !route->hooks.manage)
		return;
	kind->plan(route, ret_plan);
	if (route->hooks.url && ret_plan->count) {
		buf_clear(&ret_plan->login.base);
		hook_plan_base(ret_plan, route->hooks.url);
		ret_plan->login.named = true;
	}
	if (ret_plan->login.base.err != E_OK)
		ret_plan->err = E_NOMEM;
	if (str_find(str_of(route->endpoint), '{') < strlen(route->endpoint) && ret_plan->count)
		ret_plan->problem = "the endpoint is a template: a hook needs one address";
}

bool hook_plan_url(const struct route_config *route, struct buf *ret_url)
{
	struct str endpoint = str_of(route->endpoint);

	buf_str(ret_url, without_slashes(route->url));
	if (!str_starts(endpoint, STR("/")))
		buf_char(ret_url, '/');
	buf_str(ret_url, endpoint);
	return ret_url->err == E_OK;
}
