/*
 * yaml_event.h -- what a YAML event brings that nothing of ours accepts: anchors, aliases and tags. For those who link libyaml.
 *
 * Shape     a few bytes of anchors can stand for gigabytes, and tags change what a scalar means: every reader refuses both, in its
 *           own words.
 */
#pragma once

#include <stdbool.h>
#include <yaml.h>

/* Does it name a place, or refer to one (& and *)? */
static inline bool yaml_event_has_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return true;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return false;
	}
}

/* Does it say a type (!)? */
static inline bool yaml_event_has_tag(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return event->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.tag;
	default:
		return false;
	}
}
