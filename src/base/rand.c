#include "base/rand.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/uuid.h"

static void from_kernel(void *p, size_t n)
{
	unsigned char *to = p;

	while (n) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		assert(got > 0); /* getrandom(2) on a valid buffer fails only when interrupted */
		to += got;
		n -= (size_t)got;
	}
}

void rand_bytes(void *p, size_t n)
{
	static _Thread_local unsigned char block[4096];
	static _Thread_local size_t left;

	if (n > sizeof(block) / 4) {
		from_kernel(p, n);
		return;
	}
	if (left < n) {
		from_kernel(block, sizeof(block));
		left = sizeof(block);
	}
	left -= n;
	memcpy(p, block + left, n);
	explicit_bzero(block + left, n); /* nothing is handed out twice, or left to be read */
}

uint64_t rand_u64(void)
{
	uint64_t value;

	rand_bytes(&value, sizeof(value));
	return value;
}

void rand_uuid_hex(char ret_hex[static 33])
{
	unsigned char bytes[16];

	rand_bytes(bytes, sizeof(bytes));
	uuid_mark(bytes);
	hex_write(bytes, sizeof(bytes), ret_hex);
	ret_hex[32] = '\0';
}
