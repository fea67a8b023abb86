#include "backend/open.h"

#include "backend/directory.h"
#include "backend/memory.h"
#include "base/mem.h"

#define DIRECTORY "directory:"
#define MEMORY    "memory:"

static enum err open_directory(struct str path, struct loop *loop, struct ledger *ledger, struct metrics *metrics,
			       struct why *why, struct backend **ret_backend)
{
	CLEANUP(mem_freep) char *copy = str_dup(path);
	struct directory_options options = { .path = copy, .ledger = ledger, .metrics = metrics };

	if (!copy)
		return why_set(why, E_NOMEM, "open the directory");
	if (path.n == 0)
		return why_set(why, E_CONFIG, "--backend " DIRECTORY "PATH needs a path");
	return directory_open(loop, &options, why, ret_backend);
}

enum err backend_open(const struct backend_options *options, struct loop *loop, struct ledger *ledger,
		      struct metrics *metrics, struct why *why, struct backend **ret_backend)
{
	struct str s = str_of(options->name);

	if (str_starts(s, (struct str)STR(DIRECTORY)))
		return open_directory(str_sub(s, sizeof(DIRECTORY) - 1, s.n), loop, ledger, metrics, why, ret_backend);
	if (str_is(s, MEMORY)) {
		struct memory_store *store = memory_store_new(/* seed= */ 1); /* the process' own, until its end */

		return store ? memory_open_loop(store, loop, why, ret_backend) : why_set(why, E_NOMEM, "open");
	}
	return why_set(why, E_CONFIG, "'%s' is no backend: write " DIRECTORY "PATH", options->name);
}
