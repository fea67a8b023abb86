/*
 * uuid.h -- UUIDs of version 4 (RFC 9562 5.4).
 */
#pragma once

#include <string.h>

#include "base/hex.h"

#define UUID_MAX 37 /* with dashes, terminated */

/* Of its 128 bits six say what it is. */
static inline void uuid_mark(unsigned char bytes[static 16])
{
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
}

/* Of random bits, or any, in lower case with dashes. */
static inline void uuid_write(const unsigned char bits[static 16], char ret_uuid[static UUID_MAX])
{
	static const unsigned char groups[] = { 4, 2, 2, 2, 6 };
	unsigned char bytes[16];
	const unsigned char *from = bytes;
	char *to = ret_uuid;

	memcpy(bytes, bits, sizeof(bytes));
	uuid_mark(bytes);
	for (size_t i = 0; i < sizeof(groups); i++) {
		hex_write(from, groups[i], to);
		from += groups[i];
		to += 2 * groups[i];
		*to++ = '-';
	}
	to[-1] = '\0';
}
