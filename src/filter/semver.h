/*
 * semver.h -- semantic versions and what they must satisfy.
 *
 * Shape     constraints as Masterminds/semver 3 has them: `= != > < >= <= ~ ^`, x and * as any number, "1 - 2", commas or
 *           spaces for and, || for or. A prerelease satisfies only a constraint that names one.
 * Source    semver.org 2.0.0; the README of Masterminds/semver
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct semver {
	uint64_t part[3];
	unsigned given; /* parts that were written; x is none */
	struct str pre;
};

/* "v1.2.3-rc.1+build"; minor and patch may be absent. */
bool semver_read(struct str s, struct semver *ret_version);

/* False: `constraint` is none. */
bool semver_satisfies(struct str constraint, const struct semver *version, bool *ret_yes);
