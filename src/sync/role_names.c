#include "sync/role_impl.h"

#include <stdio.h>

static bool place_at_managed(const struct role *r, enum object_kind kind, const char *said, const char *name,
			     struct replica_place *ret_place)
{
	struct mapping_place place;

	return mapping_place(r->config.site, kind, said, &place, &(struct why){ 0 }) == E_OK &&
	       replica_place_set(ret_place, kind, str_of(place.namespace), str_of(name));
}

/* The principal has all of an agent in one namespace; here an application may lie in any that is looked at. */
static bool place_at_autonomous(const struct role *r, enum object_kind kind, const char *said, const char *name,
				struct str uid, struct replica_place *ret_place)
{
	const char *own = kind == OBJECT_APPPROJECT ? mapping_unprefixed(r->config.agent, name) : NULL;
	const char *where = NULL;

	if (r->source && kind == OBJECT_APPLICATION)
		where = source_namespace_of(r->source, kind, said, name, uid);
	return replica_place_set(ret_place, kind, str_of(where ? where : r->config.site->namespace),
				 str_of(own ? own : name));
}

static bool place_of_managed(const struct role *r, enum object_kind kind, struct str said, struct str name,
			     struct replica_place *ret_place)
{
	const struct mapping_principal *m = r->config.principal;

	if (kind != OBJECT_APPLICATION)
		said = str_of(m->namespace);
	else if (!m->by_destination)
		said = str_of(r->config.agent);
	return replica_place_set(ret_place, kind, said, name);
}

static bool place_of_autonomous(const struct role *r, enum object_kind kind, const char *name,
				struct replica_place *ret_place)
{
	char project[OBJECT_NAME_MAX + 1];

	if (kind == OBJECT_APPLICATION)
		return replica_place_set(ret_place, kind, str_of(r->config.agent), str_of(name));
	return mapping_prefixed(r->config.agent, name, project, &(struct why){ 0 }) == E_OK &&
	       replica_place_set(ret_place, kind, str_of(r->config.principal->namespace), str_of(project));
}

bool role_place_of(const struct role *r, enum object_kind kind, struct str said, struct str name, struct str uid,
		   struct replica_place *ret_place)
{
	char terminated[OBJECT_NAME_MAX + 1], incoming[OBJECT_NAME_MAX + 1];

	if (!role_has_kind(r->config.end, kind) || name.n == 0 || name.n > OBJECT_NAME_MAX || said.n > OBJECT_NAME_MAX)
		return false;
	(void)snprintf(terminated, sizeof(terminated), "%.*s", STR_ARG(name));
	(void)snprintf(incoming, sizeof(incoming), "%.*s", STR_ARG(said));
	switch (r->config.end) {
	case ROLE_PRINCIPAL_OF_MANAGED:
		return place_of_managed(r, kind, said, name, ret_place);
	case ROLE_PRINCIPAL_OF_AUTONOMOUS:
		return place_of_autonomous(r, kind, terminated, ret_place);
	case ROLE_AUTONOMOUS_AGENT:
		return place_at_autonomous(r, kind, incoming, terminated, uid, ret_place);
	case ROLE_MANAGED_AGENT:
		break;
	}
	return place_at_managed(r, kind, incoming, terminated, ret_place);
}

void role_said_as(const struct role *r, const struct replica_place *place, json_object *local,
		  struct str *ret_namespace, struct str *ret_name)
{
	const char *said = NULL, *unprefixed;

	*ret_namespace = str_of(place->namespace);
	*ret_name = str_of(place->name);
	if (r->config.end == ROLE_MANAGED_AGENT && local &&
	    mapping_reported_as(r->config.site, place->kind, local, &said, &(struct why){ 0 }) == E_OK)
		*ret_namespace = str_of(said);
	if (r->config.end == ROLE_PRINCIPAL_OF_AUTONOMOUS && place->kind == OBJECT_APPPROJECT &&
	    (unprefixed = mapping_unprefixed(r->config.agent, place->name)))
		*ret_name = str_of(unprefixed);
}
