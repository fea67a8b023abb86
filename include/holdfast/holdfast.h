/*
 * holdfast.h -- libholdfast: events that are kept until the other side has confirmed them.
 *
 * Shape     event.h: CloudEvents in memory; store.h: events on disk; outbox.h: what a peer has yet to confirm. Handles are
 *           opaque; a function that can fail returns enum hf_error and, when the caller passes a struct hf_why, tells the story in it.
 * Owner     X_new, X_open, X_parse give a handle that X_free or X_close takes back; these accept NULL. Results stand in
 *           `ret_x`, last, set only on success.
 * Threads   handles of different threads are independent; what one handle allows is said at its type. A thread must not be cancelled
 *           inside a call, nor an exception pass through one.
 * Process   the library writes to no standard stream, ends no process, sets no signal handler, no locale and no option of SQLite's.
 *           Its threads block all signals; its descriptors are closed by exec. SQLite must be used with threads, as it is unless
 *           sqlite3_config() says otherwise.
 * Errors    a call that breaks its contract changes nothing: HF_BAD_ARGUMENT where it returns an error, else false, NULL or 0. So
 *           with NULL where something is required.
 *
 *     cc app.c $(pkg-config --cflags --libs holdfast)
 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HF_API __attribute__((visibility("default")))
#else
#define HF_API
#endif

/* An error that nobody looks at may be a lost event: the compiler says where. */
#if defined(__GNUC__)
#define HF_CHECKED __attribute__((warn_unused_result))
#else
#define HF_CHECKED
#endif

/* The version of these headers; hf_version() has the library's. */
#define HF_VERSION_MAJOR 0
#define HF_VERSION_MINOR 1
#define HF_VERSION_PATCH 0

/* What can go wrong. The numbers are part of the interface: new ones come at the end. */
enum hf_error {
	HF_OK = 0,
	HF_MALFORMED = 1,     /* the input breaks its format */
	HF_NOT_FOUND = 2,     /* there is no such thing */
	HF_LIMIT = 3,         /* over a configured limit */
	HF_UNSUPPORTED = 4,   /* written by a newer version, or not supported */
	HF_BUSY = 5,          /* another process writes this store */
	HF_FULL = 6,          /* the store holds its configured bytes, or the disk is full; nothing is discarded */
	HF_NOMEM = 7,         /* out of memory */
	HF_UNAVAILABLE = 8,   /* the disk failed and has not come back yet */
	HF_IO = 9,            /* input or output failed */
	HF_CORRUPT = 10,      /* stored data is damaged */
	HF_INTERNAL = 11,     /* a condition the library did not expect */
	HF_BAD_ARGUMENT = 12, /* the call breaks its contract, as with NULL where a string is required */
	HF_DENIED = 13        /* the file system's permissions do not allow it */
};

#define HF_WHY_MAX 480

/* The story of a failure, for logs and people: "store /var/lib/app: open: Permission denied". */
struct hf_why {
	enum hf_error error;
	char text[HF_WHY_MAX]; /* terminated; cut when longer */
};

/* The library's version, "MAJOR.MINOR.PATCH". Static. */
HF_API const char *hf_version(void);

/* What `error` means, in a few words. Static, never NULL, also for numbers that are no error. */
HF_API const char *hf_strerror(enum hf_error error);

/* Frees text that the library allocated for the caller. Takes NULL. */
HF_API void hf_free(void *p);

#ifdef __cplusplus
}
#endif
