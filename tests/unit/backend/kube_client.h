/*
 * kube_client.h -- in the place of net/http_client.c: what is asked waits until the test answers it.
 *
 * Shape     one client in the process, and no server: each order of answers and news can be had.
 * Owner     the fetches are the backend's; one is forgotten before its on_done() is called, which may free it.
 */
#pragma once

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#include "net/http_client.h"

#define KUBE_FETCHES_MAX 64

struct http_client {
	struct loop *loop;
	struct http_fetch *fetches[KUBE_FETCHES_MAX]; /* that nobody has answered, oldest first */
	size_t n;
	long fail_at; /* this allocation fails behind the next end; 0: none */
};

/* Set `loop` before a backend is opened. */
extern struct http_client kube_client;

/* Some turns of the loop: tasks are done, and those that they post. */
void kube_turn(void);

/* The end of a fetch: an answer, or with `err` none. Then some turns. */
void kube_end(struct http_fetch *f, enum err err, unsigned status, const char *body);
