/*
 * text.h -- reading what a provider answers, and writing what it is asked.
 *
 * Shape     small functions over JSON that was compacted, header fields and XML; whatever the text is, they find what they look
 *           for or nothing.
 * Owner     what is found points into the text, or into the arena it was decoded to.
 * Source    RFC 3986 2.1 (percent-encoding), RFC 8288 3 (Link)
 */
#pragma once

#include "base/buf.h"
#include "config/fields.h"
#include "event/json_members.h"

/* Append with everything percent-encoded but what RFC 3986 calls unreserved. */
void text_encode(struct buf *b, struct str s);

/* Is the member `true`? */
bool text_flag(struct str object, const char *name);

/* The member's text, or the digits of a number; empty when it is neither. Decoded to the end of `arena`, which has room. */
struct str text_of(struct str object, const char *name, struct buf *arena);

/*
 * Does a JSON array of texts hold the same ones as `want`, in any order and number? When both hold `any` they are the same.
 * `any` may be NULL.
 */
bool text_same_set(struct str array, const struct text_list *want, const char *any, struct buf *arena);

/* Append `"name":` and the list, without doubles. */
void text_list_json(struct buf *b, const struct text_list *list);

/* The query of the address that a Link field calls "next", without '?'; empty: there is none. */
struct str text_next_query(struct str link);

/* The query of an address, without '?' and fragment. */
struct str text_query(struct str url);

/* The text inside the first <name>..</name> of `xml`, from `*at` on, which moves behind it; {NULL, 0}: there is none more. */
struct str text_element(struct str xml, const char *name, size_t *at);

/* Append with & < > " ' as XML writes them; and the other way round. */
void text_xml(struct buf *b, struct str s);
void text_from_xml(struct buf *b, struct str s);

/*
 * What a provider says went wrong, in the places where providers say it: a short line with nothing in it that a terminal or
 * log could obey. Empty when there is nothing to be found.
 */
void text_complaint(struct str body, struct buf *ret_line);
