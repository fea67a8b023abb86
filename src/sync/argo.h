/*
 * argo.h -- what Argo CD's controller itself writes into an application at its site, beside status, operation and refresh.
 *
 * Shape     the controller writes it again whenever it is missing. So a copy is written as the controller would have it: putting
 *           it back would never end, and each time be a comparison more.
 * Source    Argo CD 3.5.1, NormalizeApplicationSpec() in util/argo/argo.go; PreDeleteFinalizerName, PostDeleteFinalizerName
 */
#pragma once

#include "sync/graft.h"

/* Given to an application with hooks of this kind, also as FINALIZER/cleanup, and taken away by the controller alone. */
#define FINALIZER_PRE_DELETE  "pre-delete-finalizer.argocd.argoproj.io"
#define FINALIZER_POST_DELETE "post-delete-finalizer.argocd.argoproj.io"

/* Those of `existing` that are the controller's, behind those of `incoming` that are not; NULL: none. A reference for the caller. */
json_object *argo_finalizers(json_object *existing, json_object *incoming, enum err *err);

/* A spec that nobody shares: a project has a name, and what says nothing is left out. */
void argo_normalize(json_object *spec, enum err *err);
