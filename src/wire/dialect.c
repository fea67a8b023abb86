#include "wire/dialect.h"

void wire_dialect_write(const struct wire_dialect *ours, struct rpc_metadata *metadata)
{
	char text[48];

	if (ours->version == WIRE_UPSTREAM)
		return;
	(void)snprintf(text, sizeof(text), "%u", ours->version);
	rpc_metadata_add(metadata, STR(WIRE_DIALECT_KEY), str_of(text));
	if (ours->window_events == 0 || ours->window_bytes == 0)
		return;
	(void)snprintf(text, sizeof(text), "%u,%llu", ours->window_events, (unsigned long long)ours->window_bytes);
	rpc_metadata_add(metadata, STR(WIRE_WINDOW_KEY), str_of(text));
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

/* What the metadata says, whatever we speak. */
static struct wire_dialect read_all(const struct rpc_metadata *m)
{
	struct wire_dialect d = { .version = WIRE_UPSTREAM };
	uint64_t version;

	if (!m || !str_to_u64(str_trim(rpc_metadata_get(m, STR(WIRE_DIALECT_KEY))), UINT32_MAX, &version))
		return d;
	d.version = (unsigned)version;
	if (version != WIRE_UPSTREAM)
		read_window(rpc_metadata_get(m, STR(WIRE_WINDOW_KEY)), &d);
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
