#include "rpc/gzip.h"

#include "base/mem.h"

#define GZIP_WINDOW (15 + 16) /* zlib.h: 32 KiB, with gzip's header and trailer */
#define STEP        (16 << 10)

struct gunzip {
	z_stream inflater;
	unsigned char spill; /* a byte beyond the ceiling goes here */
};

static void *z_alloc(void *ctx, unsigned n, unsigned size)
{
	(void)ctx;
	return mem_array(n, size);
}

static void z_free(void *ctx, void *p)
{
	(void)ctx;
	mem_free(p);
}

static void start(z_stream *z, struct str in)
{
	z->next_in = (z_const Bytef *)(uintptr_t)in.p;
	z->avail_in = (uInt)in.n;
}

/* Room for the next piece of output, within the ceiling. */
static bool make_room(z_stream *z, struct buf *out)
{
	size_t left = out->max ? out->max - out->n : STEP;
	size_t n = left < STEP ? left : STEP;
	char *to = n ? buf_reserve(out, n) : NULL;

	z->next_out = (Bytef *)to;
	z->avail_out = to ? (uInt)n : 0;
	return to != NULL;
}

static enum err no_room(const struct buf *out)
{
	return out->err != E_OK ? out->err : E_LIMIT;
}

enum err gzip_pack(struct gzip *g, struct str plain, struct buf *ret_packed)
{
	z_stream *z = &g->deflater;
	int rc;

	if (plain.n > INT32_MAX)
		return E_LIMIT;
	if (!g->deflating) {
		*z = (z_stream){ .zalloc = z_alloc, .zfree = z_free };
		/* Level 1: a stream of changes is worth little more than a look, and the loop waits. */
		if (deflateInit2(z, 1, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
			return E_NOMEM;
		g->deflating = true;
	}
	deflateReset(z);
	start(z, plain);
	do {
		char *before;

		if (!make_room(z, ret_packed))
			return no_room(ret_packed);
		before = (char *)z->next_out;
		rc = deflate(z, Z_FINISH);
		ret_packed->n += (size_t)((char *)z->next_out - before);
	} while (rc == Z_OK || rc == Z_BUF_ERROR);
	return rc == Z_STREAM_END ? E_OK : E_INTERNAL;
}

/* One step; Z_OK: there is more. */
static int unpack_step(z_stream *z, struct buf *out)
{
	char *before = (char *)z->next_out;
	int rc = inflate(z, Z_NO_FLUSH);

	out->n += (size_t)((char *)z->next_out - before);
	return rc;
}

/* A full buffer is only too much when something is still to come. */
static enum err at_the_limit(struct gunzip *u)
{
	z_stream *z = &u->inflater;
	int rc;

	z->next_out = &u->spill;
	z->avail_out = 1;
	rc = inflate(z, Z_NO_FLUSH);
	if (z->avail_out == 0)
		return E_LIMIT;
	return rc == Z_STREAM_END && z->avail_in == 0 ? E_OK : E_MALFORMED;
}

static enum err unpack(struct gunzip *u, size_t most, struct buf *out)
{
	z_stream *z = &u->inflater;
	size_t from = out->n;
	int rc;

	do {
		if (out->n - from >= most)
			return E_BUSY;
		if (!make_room(z, out))
			return out->err != E_OK ? out->err : at_the_limit(u);
		rc = unpack_step(z, out);
	} while (rc == Z_OK && (z->avail_in || z->avail_out == 0));
	if (rc == Z_MEM_ERROR)
		return E_NOMEM;
	return rc == Z_STREAM_END && z->avail_in == 0 ? E_OK : E_MALFORMED;
}

static void gunzip_free(struct gunzip *u)
{
	if (!u)
		return;
	inflateEnd(&u->inflater);
	mem_free(u);
}

static struct gunzip *gunzip_new(void)
{
	struct gunzip *u = mem_alloc(sizeof(*u));

	if (!u)
		return NULL;
	u->inflater = (z_stream){ .zalloc = z_alloc, .zfree = z_free };
	if (inflateInit2(&u->inflater, GZIP_WINDOW) == Z_OK)
		return u;
	mem_free(u);
	return NULL;
}

static struct gunzip *begin(struct gzip *g, struct str packed)
{
	struct gunzip *u = g->idle ? TAKE(g->idle) : gunzip_new();

	if (!u)
		return NULL;
	inflateReset(&u->inflater);
	start(&u->inflater, packed);
	return u;
}

enum err gzip_unpack(struct gzip *g, struct gunzip **unpacking, struct str packed, size_t most, struct buf *ret_plain)
{
	enum err err;

	if (packed.n > INT32_MAX)
		return E_LIMIT;
	if (!*unpacking)
		*unpacking = begin(g, packed);
	if (!*unpacking)
		return E_NOMEM;
	err = unpack(*unpacking, most, ret_plain);
	if (err != E_BUSY)
		gzip_unpack_stop(g, unpacking);
	return err;
}

void gzip_unpack_stop(struct gzip *g, struct gunzip **unpacking)
{
	struct gunzip *u = TAKE(*unpacking);

	if (u && !g->idle)
		g->idle = u;
	else
		gunzip_free(u);
}

void gzip_release(struct gzip *g)
{
	if (g->deflating)
		deflateEnd(&g->deflater);
	gunzip_free(g->idle);
	*g = (struct gzip){ 0 };
}
