/*
 * destination.h -- what one destination of a project says about an agent.
 *
 * Shape     a glob on its name; without a name the server "*", or a server URL whose parameter agentName is a glob. "!" in front
 *           denies whom it matches. What is malformed says nothing.
 * Source    argocd-agent facts 4.4 (internal/manager/appproject/appproject.go)
 */
#pragma once

#include <json-c/json.h>

#include "base/str.h"

enum destination_says { DESTINATION_SILENT, DESTINATION_NAMED, DESTINATION_DENIED };

enum destination_says destination_says(json_object *destination, struct str agent);
