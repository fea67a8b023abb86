#include "base/cgroup.h"

#include <limits.h>

#include "base/file.h"
#include "base/mem.h"

#define TEXT_MAX   (1 << 20)     /* bytes; a node's list of mounts can be long */
#define MICRO_MAX  1000000000000 /* of a quota or period, in microseconds: the kernel's are smaller */
#define MEMORY_MAX (1ull << 50)  /* bytes: for version 1 "no limit" is a number, nearly 2^63 */

/* What is limited, and the limit that one group's directory names; 0: none. */
struct controller {
	const char *name;
	uint64_t (*unified)(const char *dir);
	uint64_t (*first_version)(const char *dir);
};

/* A mounted hierarchy that has the controller. */
struct hierarchy {
	bool unified;    /* version 2 */
	struct str root; /* the group that the mount shows */
	struct str at;   /* where */
};

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* What cannot be read is empty. */
static struct str read_in(const char *dir, const char *name, struct buf *ret_text)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n > 0 && (size_t)n < sizeof(path))
		(void)file_read(path, TEXT_MAX, ret_text, NULL);
	return buf_view(ret_text);
}

static bool has_word(struct str list, const char *word)
{
	while (list.n)
		if (str_is(str_cut(&list, ','), word))
			return true;
	return false;
}

/* ---- one group -------------------------------------------------------------------------------------------------- */

/* "max" and "-1" are no numbers: no limit. */
static uint64_t milli_of(struct str quota, struct str period)
{
	uint64_t granted_us, period_us;

	if (!str_to_u64(str_trim(quota), MICRO_MAX, &granted_us) || granted_us == 0 ||
	    !str_to_u64(str_trim(period), MICRO_MAX, &period_us) || period_us == 0)
		return 0;
	return (granted_us * 1000 + period_us - 1) / period_us;
}

static uint64_t unified_quota(const char *dir)
{
	struct buf text = { 0 };
	struct str all = read_in(dir, "cpu.max", &text), line = str_cut(&all, '\n'), quota = str_cut(&line, ' ');
	uint64_t milli = milli_of(quota, line);

	buf_release(&text);
	return milli;
}

static uint64_t first_version_quota(const char *dir)
{
	struct buf text = { 0 }, more = { 0 };
	struct str quota = read_in(dir, "cpu.cfs_quota_us", &text), period = read_in(dir, "cpu.cfs_period_us", &more);
	uint64_t milli = milli_of(str_cut(&quota, '\n'), str_cut(&period, '\n'));

	buf_release(&text);
	buf_release(&more);
	return milli;
}

static uint64_t bytes_in(const char *dir, const char *name)
{
	struct buf text = { 0 };
	struct str all = read_in(dir, name, &text);
	uint64_t bytes;

	if (!str_to_u64(str_trim(str_cut(&all, '\n')), MEMORY_MAX, &bytes))
		bytes = 0;
	buf_release(&text);
	return bytes;
}

static uint64_t unified_bytes(const char *dir)
{
	return bytes_in(dir, "memory.max");
}

static uint64_t first_version_bytes(const char *dir)
{
	return bytes_in(dir, "memory.limit_in_bytes");
}

static uint64_t tighter(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* ---- where ------------------------------------------------------------------------------------------------------ */

/* Our group in it, as /proc/self/cgroup names it: "0::/a/b", or "4:cpu,cpuacct:/a/b". */
static struct str group_in(const struct controller *c, const struct hierarchy *h, struct str groups)
{
	while (groups.n) {
		struct str line = str_cut(&groups, '\n');
		struct str id = str_cut(&line, ':'), controllers = str_cut(&line, ':');

		if (h->unified ? str_is(id, "0") && controllers.n == 0 : has_word(controllers, c->name))
			return line;
	}
	return (struct str){ 0 };
}

/* What follows the group that the mount shows; nothing when ours is not below it. */
static struct str below(struct str root, struct str group)
{
	if (str_is(root, "/"))
		return group;
	if (!str_starts(group, root) || (group.n > root.n && group.p[root.n] != '/'))
		return (struct str){ 0 };
	return str_sub(group, root.n, group.n);
}

/* From our group up to the mount. */
static uint64_t limit_in(const struct controller *c, const struct hierarchy *h, const char *root, struct str groups)
{
	struct str rest = below(h->root, group_in(c, h, groups));
	char dir[PATH_MAX];
	int top = snprintf(dir, sizeof(dir), "%s%.*s", root, STR_ARG(h->at));
	int n = snprintf(dir, sizeof(dir), "%s%.*s%.*s", root, STR_ARG(h->at), STR_ARG(rest));
	uint64_t limit = 0;

	if (top <= 0 || n < top || (size_t)n >= sizeof(dir))
		return 0;
	for (int i = n; i >= top; i--) {
		if (i > top && i < n && dir[i] != '/')
			continue;
		dir[i] = '\0';
		limit = tighter(limit, h->unified ? c->unified(dir) : c->first_version(dir));
	}
	return limit;
}

/* A line of mountinfo: "33 24 0:29 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw", with more words in front of the dash. */
static bool hierarchy_of(const struct controller *c, struct str line, struct hierarchy *ret_hierarchy)
{
	struct str words[5], type;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = str_cut(&line, ' ');
	while (line.n && !str_is(str_cut(&line, ' '), "-"))
		;
	type = str_cut(&line, ' ');
	(void)str_cut(&line, ' ');
	*ret_hierarchy = (struct hierarchy){ .unified = str_is(type, "cgroup2"), .root = words[3], .at = words[4] };
	return ret_hierarchy->unified || (str_is(type, "cgroup") && has_word(line, c->name));
}

static uint64_t tightest(const struct controller *c, const char *root)
{
	struct buf mounts = { 0 }, groups = { 0 };
	struct str lines = read_in(root, "proc/self/mountinfo", &mounts),
		   own = read_in(root, "proc/self/cgroup", &groups);
	struct hierarchy h;
	uint64_t limit = 0;

	while (lines.n)
		if (hierarchy_of(c, str_cut(&lines, '\n'), &h))
			limit = tighter(limit, limit_in(c, &h, root, own));
	buf_release(&mounts);
	buf_release(&groups);
	return limit;
}

uint64_t cgroup_cpu_milli(const char *root)
{
	static const struct controller cpu = { "cpu", unified_quota, first_version_quota };

	return tightest(&cpu, root);
}

uint64_t cgroup_memory_bytes(const char *root)
{
	static const struct controller memory = { "memory", unified_bytes, first_version_bytes };

	return tightest(&memory, root);
}
