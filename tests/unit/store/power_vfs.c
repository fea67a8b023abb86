#include "power_vfs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/seed.h"

#define SECTOR 512

struct bytes {
	char *p;
	sqlite3_int64 n, cap;
};

struct change {
	struct change *next;
	sqlite3_int64 at; /* < 0: truncated to `n` */
	sqlite3_int64 n;
	char data[];
};

struct node {
	struct node *next;
	char *path;
	struct bytes certain; /* what a power cut leaves for certain */
	bool exists_certain;
	bool deleted;       /* by name, perhaps not on disk yet */
	sqlite3_int64 size; /* as the program sees it */
	unsigned errors;    /* syncs that failed */
	struct change *first, **last;
};

struct handle {
	sqlite3_file base;
	struct node *node;
	sqlite3_file *real;
	unsigned errors; /* of the node, as far as this handle was told */
};

static struct {
	pthread_mutex_t lock;
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	struct node *nodes;
	uint64_t random;
	unsigned fail_ops;
	uint64_t fail_from, fail_times, count;
	uint64_t changes_left; /* until the cut; 0: none planned */
	bool cut;
	uint64_t disk_size;
	bool hang;
	pthread_cond_t released;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER };

static _Thread_local bool writes_log; /* this thread commits */

static uint64_t dice(void)
{
	return seed_next(&disk.random);
}

uint64_t power_random(uint64_t below)
{
	uint64_t value;

	pthread_mutex_lock(&disk.lock);
	value = dice() % below;
	pthread_mutex_unlock(&disk.lock);
	return value;
}

/* ---- faults --------------------------------------------------------------------------------------------------------- */

/* Under the lock: may this operation work? */
static bool works(enum power_op op)
{
	if (disk.cut)
		return false;
	if ((op & POWER_CHANGES) && disk.changes_left && --disk.changes_left == 0) {
		disk.cut = true;
		return false;
	}
	if (!(op & disk.fail_ops))
		return true;
	disk.count++;
	return !disk.fail_from || disk.count < disk.fail_from || disk.count >= disk.fail_from + disk.fail_times;
}

static bool begin(enum power_op op)
{
	pthread_mutex_lock(&disk.lock);
	return works(op);
}

static int end(int rc)
{
	pthread_mutex_unlock(&disk.lock);
	return rc;
}

/* ---- nodes ---------------------------------------------------------------------------------------------------------- */

static void forget_changes(struct node *node)
{
	while (node->first) {
		struct change *next = node->first->next;

		free(node->first);
		node->first = next;
	}
	node->last = &node->first;
}

static struct node *node_of(const char *path)
{
	struct node *node = disk.nodes;

	while (node && strcmp(node->path, path) != 0)
		node = node->next;
	if (node)
		return node;
	node = calloc(1, sizeof(*node));
	assert(node);
	node->path = strdup(path);
	node->last = &node->first;
	node->next = disk.nodes;
	disk.nodes = node;
	return node;
}

static void add_change(struct node *node, sqlite3_int64 at, const void *data, sqlite3_int64 n)
{
	size_t size = at < 0 ? 0 : (size_t)n;
	struct change *change = malloc(sizeof(*change) + size);

	assert(change);
	*change = (struct change){ .at = at, .n = n };
	if (size)
		memcpy(change->data, data, size);
	*node->last = change;
	node->last = &change->next;
}

static void resize(struct bytes *b, sqlite3_int64 n)
{
	if (n > b->cap || !b->p) {
		b->cap = n * 2 + 1;
		b->p = realloc(b->p, (size_t)b->cap);
		assert(b->p);
	}
	if (n > b->n)
		memset(b->p + b->n, 0, (size_t)(n - b->n));
	b->n = n;
}

static void put(struct bytes *b, sqlite3_int64 at, const char *p, sqlite3_int64 n)
{
	if (at + n > b->n)
		resize(b, at + n);
	memcpy(b->p + at, p, (size_t)n);
}

/* Make changes certain; with `chance` below 100 only that share of the sectors. */
static void apply(struct node *node, uint64_t chance)
{
	for (const struct change *c = node->first; c; c = c->next) {
		if (c->at < 0) {
			if (dice() % 100 < chance)
				resize(&node->certain, c->n);
			continue;
		}
		for (sqlite3_int64 done = 0; done < c->n;) {
			sqlite3_int64 at = c->at + done;
			sqlite3_int64 n = SECTOR - at % SECTOR;

			if (n > c->n - done)
				n = c->n - done;
			if (dice() % 100 < chance)
				put(&node->certain, at, c->data + done, n);
			done += n;
		}
	}
	forget_changes(node);
}

static uint64_t disk_used(void)
{
	uint64_t used = 0;

	for (const struct node *node = disk.nodes; node; node = node->next)
		used += node->deleted ? 0 : (uint64_t)node->size;
	return used;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static struct handle *of(sqlite3_file *file)
{
	return (struct handle *)(void *)file;
}

static int on_close(sqlite3_file *file)
{
	return of(file)->real->pMethods->xClose(of(file)->real);
}

static int on_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
	if (!begin(POWER_READ))
		return end(SQLITE_IOERR_READ);
	return end(of(file)->real->pMethods->xRead(of(file)->real, to, n, at));
}

static bool is_database(const struct node *node)
{
	size_t n = strlen(node->path);

	return n < 4 || strcmp(node->path + n - 4, "-wal") != 0;
}

static int on_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at)
{
	struct handle *h = of(file);
	int rc;

	if (!begin(POWER_WRITE))
		return end(SQLITE_IOERR_WRITE);
	if (disk.disk_size && at + n > h->node->size &&
	    disk_used() + (uint64_t)(at + n - h->node->size) > disk.disk_size)
		return end(SQLITE_FULL);
	rc = h->real->pMethods->xWrite(h->real, from, n, at);
	if (rc != SQLITE_OK)
		return end(rc);
	add_change(h->node, at, from, n);
	writes_log |= !is_database(h->node);
	if (at + n > h->node->size)
		h->node->size = at + n;
	return end(SQLITE_OK);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct handle *h = of(file);
	int rc;

	if (!begin(POWER_TRUNCATE))
		return end(SQLITE_IOERR_TRUNCATE);
	rc = h->real->pMethods->xTruncate(h->real, size);
	if (rc != SQLITE_OK)
		return end(rc);
	add_change(h->node, -1, NULL, size);
	h->node->size = size;
	return end(SQLITE_OK);
}

/* As Linux tells it: what a sync lost is told once to every handle that was open. */
static int tell_error(struct handle *h)
{
	if (h->errors == h->node->errors)
		return SQLITE_OK;
	h->errors = h->node->errors;
	return SQLITE_IOERR_FSYNC;
}

static int on_sync(sqlite3_file *file, int flags)
{
	struct handle *h = of(file);
	struct node *node = h->node;
	bool ok = begin(POWER_SYNC);

	(void)flags;
	while (disk.hang && is_database(node) && !writes_log)
		pthread_cond_wait(&disk.released, &disk.lock);
	if (!ok) {
		if (!disk.cut)
			forget_changes(node);
		h->errors = ++node->errors;
		return end(SQLITE_IOERR_FSYNC);
	}
	apply(node, 100);
	node->exists_certain = true; /* SQLite syncs the directory of a new journal with its first sync */
	return end(tell_error(h));
}

static int on_size(sqlite3_file *file, sqlite3_int64 *size)
{
	if (!begin(POWER_SIZE))
		return end(SQLITE_IOERR_FSTAT);
	return end(of(file)->real->pMethods->xFileSize(of(file)->real, size));
}

static int on_lock(sqlite3_file *file, int level)
{
	return of(file)->real->pMethods->xLock(of(file)->real, level);
}

static int on_unlock(sqlite3_file *file, int level)
{
	return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}

static int on_check_lock(sqlite3_file *file, int *out)
{
	return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, out);
}

static int on_control(sqlite3_file *file, int op, void *arg)
{
	if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE || op == SQLITE_FCNTL_MMAP_SIZE)
		return SQLITE_NOTFOUND; /* they would change the file behind our back */
	return of(file)->real->pMethods->xFileControl(of(file)->real, op, arg);
}

static int on_sector_size(sqlite3_file *file)
{
	return of(file)->real->pMethods->xSectorSize(of(file)->real);
}

static int on_device(sqlite3_file *file)
{
	return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

static int on_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	if (!begin(POWER_SHM))
		return end(SQLITE_IOERR_SHMMAP);
	return end(of(file)->real->pMethods->xShmMap(of(file)->real, page, size, extend, out));
}

static int on_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
	return of(file)->real->pMethods->xShmLock(of(file)->real, at, n, flags);
}

static void on_shm_barrier(sqlite3_file *file)
{
	of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int on_shm_unmap(sqlite3_file *file, int flag)
{
	return of(file)->real->pMethods->xShmUnmap(of(file)->real, flag);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_device,
	.xShmMap = on_shm_map,
	.xShmLock = on_shm_lock,
	.xShmBarrier = on_shm_barrier,
	.xShmUnmap = on_shm_unmap,
};

/* ---- the directory -------------------------------------------------------------------------------------------------- */

static int open_real(const char *path, struct handle *h, int flags, int *out_flags)
{
	int rc = disk.real->xOpen(disk.real, path, h->real, flags, out_flags);

	if (rc != SQLITE_OK)
		return rc;
	h->node = node_of(path);
	h->errors = h->node->errors;
	if (flags & SQLITE_OPEN_MAIN_DB)
		h->node->exists_certain = true; /* the store makes it and syncs the directory before SQLite sees it */
	h->node->deleted = false;
	h->base.pMethods = &methods;
	return SQLITE_OK;
}

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags)
{
	struct handle *h = of(file);

	(void)vfs;
	*h = (struct handle){ .real = (sqlite3_file *)(void *)(h + 1) };
	if (!begin(POWER_OPEN))
		return end(SQLITE_CANTOPEN);
	if (!path) { /* a temporary file: nobody expects to see it again */
		h->base.pMethods = NULL;
		return end(SQLITE_CANTOPEN);
	}
	return end(open_real(path, h, flags, out_flags));
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
	struct node *node;
	int rc;

	(void)vfs;
	if (!begin(POWER_DELETE))
		return end(SQLITE_IOERR_DELETE);
	rc = disk.real->xDelete(disk.real, path, 0);
	if (rc != SQLITE_OK)
		return end(rc);
	node = node_of(path);
	node->deleted = true;
	if (sync_dir)
		node->exists_certain = false;
	return end(SQLITE_OK);
}

static int on_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
	(void)vfs;
	return disk.real->xAccess(disk.real, path, flags, out);
}

static int on_full_path(sqlite3_vfs *vfs, const char *path, int n, char *out)
{
	(void)vfs;
	return disk.real->xFullPathname(disk.real, path, n, out);
}

static void install(void)
{
	sqlite3_initialize();
	disk.real = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real;
	disk.vfs.zName = "power";
	disk.vfs.szOsFile = (int)sizeof(struct handle) + disk.real->szOsFile;
	disk.vfs.xOpen = on_open;
	disk.vfs.xDelete = on_delete;
	disk.vfs.xAccess = on_access;
	disk.vfs.xFullPathname = on_full_path;
	sqlite3_vfs_register(&disk.vfs, 1);
}

/* ---- for tests ------------------------------------------------------------------------------------------------------ */

void power_reset(uint64_t seed)
{
	if (!disk.real)
		install();
	pthread_mutex_lock(&disk.lock);
	while (disk.nodes) {
		struct node *next = disk.nodes->next;

		forget_changes(disk.nodes);
		free(disk.nodes->certain.p);
		free(disk.nodes->path);
		free(disk.nodes);
		disk.nodes = next;
	}
	disk.random = seed;
	disk.fail_ops = POWER_ALL;
	disk.fail_from = disk.fail_times = disk.count = disk.changes_left = disk.disk_size = 0;
	disk.cut = disk.hang = false;
	pthread_mutex_unlock(&disk.lock);
}

void power_hang(bool hang)
{
	pthread_mutex_lock(&disk.lock);
	disk.hang = hang;
	pthread_cond_broadcast(&disk.released);
	pthread_mutex_unlock(&disk.lock);
}

void power_fail(unsigned ops, uint64_t n, uint64_t times)
{
	pthread_mutex_lock(&disk.lock);
	disk.fail_ops = ops;
	disk.fail_from = n;
	disk.fail_times = times;
	disk.count = 0;
	pthread_mutex_unlock(&disk.lock);
}

uint64_t power_count(void)
{
	uint64_t count;

	pthread_mutex_lock(&disk.lock);
	count = disk.count;
	pthread_mutex_unlock(&disk.lock);
	return count;
}

void power_cut_after(uint64_t n)
{
	pthread_mutex_lock(&disk.lock);
	disk.changes_left = n;
	disk.cut = false;
	pthread_mutex_unlock(&disk.lock);
}

bool power_is_cut(void)
{
	bool cut;

	pthread_mutex_lock(&disk.lock);
	cut = disk.cut;
	pthread_mutex_unlock(&disk.lock);
	return cut;
}

void power_disk_size(uint64_t bytes)
{
	pthread_mutex_lock(&disk.lock);
	disk.disk_size = bytes;
	pthread_mutex_unlock(&disk.lock);
}

static void write_file(const struct node *node)
{
	sqlite3_int64 done = 0;
	int fd;

	(void)unlink(node->path); /* file systems flush a file that was cut to nothing and written again */
	fd = open(node->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert(fd >= 0);
	while (done < node->certain.n) {
		ssize_t n = write(fd, node->certain.p + done, (size_t)(node->certain.n - done));

		assert(n > 0);
		done += n;
	}
	close(fd);
}

static void survive(struct node *node, uint64_t chance)
{
	char shm[256];
	bool exists = node->exists_certain;

	if (exists && node->deleted)
		exists = dice() & 1; /* the deletion may not have reached the disk */
	else if (!exists && !node->deleted)
		exists = dice() & 1; /* the new name may have */
	apply(node, chance);
	if (exists)
		write_file(node);
	else
		resize(&node->certain, 0);
	if (!exists)
		(void)unlink(node->path);
	node->exists_certain = exists;
	node->deleted = !exists;
	node->size = node->certain.n;
	sqlite3_snprintf(sizeof(shm), shm, "%s-shm", node->path);
	(void)unlink(shm); /* memory is gone */
}

void power_restore(void)
{
	static const uint64_t chances[] = { 0, 10, 50, 90, 100 };

	pthread_mutex_lock(&disk.lock);
	for (struct node *node = disk.nodes; node; node = node->next)
		survive(node, chances[dice() % 5]);
	disk.cut = false;
	disk.changes_left = 0;
	disk.fail_from = 0;
	pthread_mutex_unlock(&disk.lock);
}
