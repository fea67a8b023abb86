/*
 * marks.h -- the annotations and labels by which the two ends recognise their objects.
 *
 * Shape     one row per annotation: key, is it ours (the sync writes it, or it means one cluster alone), meaning. What is ours is
 *           no content: it is in no digest and goes to no peer.
 * Source    argocd-agent facts 4.1 (with its sources in upstream's internal/manager/manager.go,
 *           internal/manager/application/application.go, internal/config/constants.go), 4.5 (refresh, last-applied)
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

/* Annotations. */
#define MARK_SOURCE_UID      "argocd.argoproj.io/source-uid"
#define MARK_PRINCIPAL_UID   "argocd.argoproj.io/principal-uid"
#define MARK_REMAPPED        "argocd.argoproj.io/namespace-remapped"
#define MARK_LAST_UPDATED    "argocd-agent.argoproj.io/last-updated"
#define MARK_LAST_APPLIED    "kubectl.kubernetes.io/last-applied-configuration"
#define MARK_MISMATCH_POLICY "argocd.argoproj.io/source-uid-mismatch-policy"
#define MARK_ADOPTION_POLICY "argocd.argoproj.io/adoption-policy"
#define MARK_NOTIFIED        "notified.notifications.argoproj.io"
#define MARK_REFRESH         "argocd.argoproj.io/refresh"
#define MARK_REFRESH_TIME    "argocd.argoproj.io/refresh-timestamp"
#define MARK_HYDRATE         "argocd.argoproj.io/hydrate"
#define MARK_HYDRATE_TIME    "argocd.argoproj.io/hydrate-timestamp"

/*    key                   ours   meaning */
#define MARK_ANNOTATIONS(X)                                                                                       \
	X(MARK_SOURCE_UID, true, "UID of the object at the source of truth")                                      \
	X(MARK_PRINCIPAL_UID, true, "identity of the principal that wrote the copy")                              \
	X(MARK_REMAPPED, true, "true: the agent moved it from the principal's namespace into its own")            \
	X(MARK_LAST_UPDATED, true, "when the principal last wrote it")                                            \
	X(MARK_LAST_APPLIED, true, "what kubectl wrote at one cluster: not for the other")                        \
	X(MARK_MISMATCH_POLICY, false, "recreate or upsert: of the incoming object, over the configured policy")  \
	X(MARK_ADOPTION_POLICY, false, "always or never: of the agent's application, over the configured policy") \
	X(MARK_NOTIFIED, true, "what this cluster has notified about: stays there, at either end")                \
	X(MARK_REFRESH, false, "asks the controller to look again; it removes it when done")                      \
	X(MARK_REFRESH_TIME, false, "when: tells one refresh from the next, as of Argo CD 3.6; goes with it")     \
	X(MARK_HYDRATE, false, "asks the controller to render its manifests anew; like a refresh")                \
	X(MARK_HYDRATE_TIME, false, "when")

/* Labels. */
#define LABEL_SKIP_SYNC               "argocd-agent.argoproj-labs.io/ignore-sync" /* "true": not sent */
#define LABEL_SECRET_TYPE             "argocd.argoproj.io/secret-type" /* "repository" or "repo-creds": a secret that is sent */

/* The one ConfigMap of GPG keys, in Argo CD's namespace. */
#define GPG_KEYS_NAME                 "argocd-gpg-keys-cm"

/* The condition by which an application at the principal shows what its agent could not do. */
#define CONDITION_AGENT_ERROR         "AgentError"

/* The destination of every copy at an agent: the cluster it runs in. */
#define DESTINATION_IN_CLUSTER        "in-cluster"
#define DESTINATION_IN_CLUSTER_SERVER "https://kubernetes.default.svc"

/* Is this annotation ours? */
bool mark_is_ours(const char *key);

/* The annotations that ask a controller for something: it alone takes them away, when that is done. */
#define MARK_WISHES 4
extern const char *const mark_wishes[MARK_WISHES];

/* May one of them stand in this text? */
bool mark_may_wish(struct str text);

/* Is this top-level member what the source decides: not metadata, status or operation? */
bool member_is_content(const char *key);

/* Has an operation in this phase (status.operationState.phase) come to its end? */
bool phase_has_ended(const char *phase);
