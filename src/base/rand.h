/*
 * rand.h -- randomness from the kernel.
 *
 * Shape     small requests are served from a thread-local block, so that an id costs no system call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `n` bytes fit for keys and ids. */
void rand_bytes(void *p, size_t n);

uint64_t rand_u64(void);

/* A random UUID version 4 (RFC 9562 5.4) as 32 lower-case hex digits without dashes, terminated. */
void rand_uuid_hex(char ret_hex[static 33]);
