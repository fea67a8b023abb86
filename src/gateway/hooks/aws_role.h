/*
 * aws_role.h -- how a role of AWS is taken on: keys for an hour, from AWS's STS.
 *
 * Shape     what is asked, and what of the answer is kept: "<access key id>\n<secret key>\n<session token>".
 * Units     times in seconds since 1970.
 * Errors    E_MALFORMED  the answer holds no keys
 * Source    AWS Security Token Service API Reference, "AssumeRole"
 */
#pragma once

#include "gateway/hooks/plan.h"

/* Where STS is: the server that the manifest names, or Amazon's of the region. */
void aws_role_base(const struct login *l, struct buf *ret_base);

void aws_role_request(const struct login *l, struct hook_request *ret_request);

/* Takes the keys out of the answer, which is XML; `*ret_until_s` is when they end. */
enum err aws_role_read(struct str answer, int64_t now_s, struct buf *ret_keys, int64_t *ret_until_s, struct why *why);
