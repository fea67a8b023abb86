/*
 * sns_message.h -- what Amazon SNS sends to an HTTP endpoint, and the text that its signature covers.
 *
 * Owner     the texts belong to the message, decoded; sns_message_release() frees.
 * Errors    E_MALFORMED  no message; `why` says what is wrong in words for the sender
 *           E_NOMEM
 * Source    facts argo-events 1.2 [D]; Amazon SNS Developer Guide "Verifying the signatures of Amazon SNS messages"
 */
#pragma once

#include "base/buf.h"
#include "base/why.h"

enum sns_type {
	SNS_NOTIFICATION,
	SNS_SUBSCRIPTION,   /* asks to confirm a subscription */
	SNS_UNSUBSCRIPTION, /* tells of the end of one, and could confirm it again */
	SNS_UNKNOWN,        /* any other, or none */
};

struct sns_message {
	enum sns_type kind;
	struct str type;
	struct str message_id;
	struct str token;
	struct str topic_arn;
	struct str subject;
	bool has_subject;
	struct str message;
	struct str subscribe_url;
	struct str timestamp;
	struct str version;   /* of the signature: "1", "2" */
	struct str signature; /* base64 */
	struct str cert_url;
	struct buf arena;
};

/*
 * Reads `body`, one valid and compacted JSON text. A name that stands twice is refused: what was verified could be another one
 * than what is read later.
 */
enum err sns_message_parse(struct str body, struct why *why, struct sns_message *ret_message);
void sns_message_release(struct sns_message *m);

#define SNS_PIECES 28 /* name, newline, value, newline of seven */

/* The text that was signed, in pieces to be put together; returns how many. None for SNS_UNKNOWN. */
size_t sns_message_signed(const struct sns_message *m, struct str ret_pieces[static SNS_PIECES]);

/*
 * Does `url` name a signing certificate under `base` ("https://sns.eu-west-1.amazonaws.com")? Plain names only behind it:
 * nothing in it can lead elsewhere.
 */
bool sns_is_cert_url(struct str url, struct str base);

/* Does `url` confirm a subscription of this topic under `base`, and nothing else? */
bool sns_is_subscribe_url(struct str url, struct str base, struct str topic_arn);
