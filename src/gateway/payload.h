/*
 * payload.h -- the parts of a webhook payload that Sensors read: header map, query and form map, metadata.
 *
 * Shape     each function appends JSON to a buffer; errors are sticky there.
 * Source    facts argo-events 1.0 "Header map rules", 1.1 (query and form map), 2.1 (metadata); verified there against
 *           Go's net/http and encoding/json
 */
#pragma once

#include "base/buf.h"
#include "gateway/config.h"
#include "net/http_server.h"

/*
 * {"Accept":["x"],..}: names in canonical MIME form, sorted; values as arrays in order of arrival. Authorization is
 * masked, and so are the fields named in `masked` (ended by NULL; NULL: no more).
 */
void payload_headers(const struct http_request *r, const char *const *masked, struct buf *ret_json);

/*
 * {"a":["1","2"],..} of a query or an urlencoded form, keys sorted. E_MALFORMED: a bad escape or a ';' in it; with
 * `lenient` such pairs are left out instead (as Go does with the query of a GET).
 */
enum err payload_form(struct str form, bool lenient, struct buf *ret_json);

/*
 * One field of an urlencoded form, decoded, appended; of several the first. E_NOT_FOUND: there is none; E_MALFORMED: a bad
 * escape or a ';' anywhere in the form.
 */
enum err payload_form_field(struct str form, struct str name, struct buf *ret_value);

/* ,"metadata":{..} of the route, or nothing. */
void payload_metadata(const struct route_config *config, struct buf *ret_json);
