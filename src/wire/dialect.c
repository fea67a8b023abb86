#include "wire/dialect.h"

#include <inttypes.h>
#include <string.h>

static const char *const mappings[WIRE_MAPPING_COUNT] = {
	[WIRE_MAPPING_NAMESPACE] = "namespace",
	[WIRE_MAPPING_DESTINATION] = "destination",
};

static void add(struct rpc_metadata *metadata, struct str key, const char *text)
{
	rpc_metadata_add(metadata, key, str_of(text));
}

void wire_dialect_write(const struct wire_dialect *ours, struct rpc_metadata *metadata)
{
	char text[48];

	if (ours->version == WIRE_UPSTREAM)
		return;
	(void)snprintf(text, sizeof(text), "%u", ours->version);
	add(metadata, (struct str)STR(WIRE_DIALECT_KEY), text);
	if (ours->window_events && ours->window_bytes) {
		(void)snprintf(text, sizeof(text), "%u,%" PRIu64, ours->window_events, ours->window_bytes);
		add(metadata, (struct str)STR(WIRE_WINDOW_KEY), text);
	}
	if (ours->message_max) {
		(void)snprintf(text, sizeof(text), "%" PRIu64, ours->message_max);
		add(metadata, (struct str)STR(WIRE_MESSAGE_MAX_KEY), text);
	}
	if (ours->mapping != WIRE_MAPPING_UNSAID)
		add(metadata, (struct str)STR(WIRE_MAPPING_KEY), mappings[ours->mapping]);
}

/* Both numbers, or none. */
static void read_window(struct str text, struct wire_dialect *d)
{
	struct str events = str_cut(&text, ',');
	uint64_t n, bytes;

	if (!str_to_u64(str_trim(events), UINT32_MAX, &n) || !str_to_u64(str_trim(text), UINT64_MAX, &bytes))
		return;
	if (n == 0 || bytes == 0)
		return;
	d->window_events = (uint32_t)n;
	d->window_bytes = bytes;
}

static void read_message_max(struct str text, struct wire_dialect *d)
{
	uint64_t n;

	if (str_to_u64(str_trim(text), UINT64_MAX, &n))
		d->message_max = n;
}

static void read_mapping(struct str text, struct wire_dialect *d)
{
	for (enum wire_mapping mapping = WIRE_MAPPING_NAMESPACE; mapping < WIRE_MAPPING_COUNT; mapping++)
		if (str_is(text, mappings[mapping]))
			d->mapping = mapping;
}

/* What the metadata says, whatever we speak. */
static struct wire_dialect read_all(const struct rpc_metadata *m)
{
	struct wire_dialect d = { .version = WIRE_UPSTREAM };
	uint64_t version;

	if (!m || !str_to_u64(str_trim(rpc_metadata_get(m, STR(WIRE_DIALECT_KEY))), UINT32_MAX, &version))
		return d;
	d.version = (unsigned)version;
	if (version == WIRE_UPSTREAM)
		return d;
	read_window(rpc_metadata_get(m, STR(WIRE_WINDOW_KEY)), &d);
	read_message_max(rpc_metadata_get(m, STR(WIRE_MESSAGE_MAX_KEY)), &d);
	read_mapping(rpc_metadata_get(m, STR(WIRE_MAPPING_KEY)), &d);
	return d;
}

struct wire_dialect wire_dialect_accept(const struct rpc_metadata *request)
{
	struct wire_dialect d = read_all(request);

	if (d.version > WIRE_NEWEST)
		d.version = WIRE_NEWEST;
	return d;
}

struct wire_dialect wire_dialect_agreed(const struct rpc_metadata *response, const struct wire_dialect *asked)
{
	struct wire_dialect d = read_all(response);

	return d.version <= asked->version ? d : (struct wire_dialect){ .version = WIRE_UPSTREAM };
}

#define TOLD_BEFORE "message larger than max ("
#define TOLD_VERSUS "vs. "
#define TOLD_MIN    (64 << 10)

/*
 * Go's library and the C core say both numbers; one that is not over the other is no limit that was passed. And nobody could live
 * with less than TOLD_MIN: who believed it would send nothing any more.
 */
uint64_t wire_message_max_told(struct str status)
{
	const char *at = status.n ? memmem(status.p, status.n, TOLD_BEFORE, sizeof(TOLD_BEFORE) - 1) : NULL;
	struct str rest = at ? str_sub(status, (size_t)(at - status.p) + sizeof(TOLD_BEFORE) - 1, status.n) : status;
	struct str numbers = str_cut(&rest, ')'), size = str_cut(&numbers, ' ');
	uint64_t n, max;

	if (!at || !str_starts(numbers, (struct str)STR(TOLD_VERSUS)))
		return 0;
	if (!str_to_u64(size, UINT64_MAX, &n) ||
	    !str_to_u64(str_sub(numbers, sizeof(TOLD_VERSUS) - 1, numbers.n), UINT64_MAX, &max))
		return 0;
	return n > max && max >= TOLD_MIN ? max : 0;
}
