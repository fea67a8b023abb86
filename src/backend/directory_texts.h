/*
 * directory_texts.h -- members that are texts at Kubernetes, and become numbers or booleans in YAML without quotes.
 *
 * Shape     pure; a table of paths for each kind. An API server refuses such an object. Here nobody would: an agent of upstream's
 *           cannot read the event, confirms it and drops it, so that the object never arrives and nobody says so.
 * Errors    E_MALFORMED
 * Source    Argo CD's resources (argoproj.io/v1alpha1), Kubernetes' Secret and ConfigMap; docs/reference/wire.md, what was seen
 */
#pragma once

#include "backend/object.h"

/* E_MALFORMED: a text is something else; `why` says which. Null is absent. */
enum err directory_texts(enum object_kind kind, json_object *tree, struct why *why);
