#include "backend/open.h"

#include "backend/directory.h"
#include "backend/kubernetes.h"
#include "backend/memory.h"
#include "base/mem.h"

#define DIRECTORY "directory:"
#define MEMORY    "memory:"
#define FORMS     DIRECTORY "PATH or " BACKEND_KUBERNETES

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

static enum err open_kubernetes(const struct backend_options *o, struct loop *loop, struct metrics *metrics,
				struct why *why, struct backend **ret_backend)
{
	struct kubernetes_options options = { .namespace = o->namespace,
					      .namespaces = o->namespaces,
					      .namespace_count = o->namespace_count,
					      .everywhere = o->everywhere,
					      .create_namespaces = o->create_namespaces,
					      .namespace_pattern = o->namespace_pattern,
					      .namespace_labels = o->namespace_labels,
					      .namespace_label_count = o->namespace_label_count,
					      .metrics = metrics };

	if (kubernetes_config_load(o->kubeconfig, o->kubecontext, why, &options.config) != E_OK)
		return why_add(why, BACKEND_KUBERNETES);
	return kubernetes_open(loop, &options, why, ret_backend);
}

enum err backend_open(const struct backend_options *options, struct loop *loop, struct ledger *ledger,
		      struct metrics *metrics, struct why *why, struct backend **ret_backend)
{
	struct str s = str_of(options->name);

	if (str_starts(s, (struct str)STR(DIRECTORY)))
		return open_directory(str_sub(s, sizeof(DIRECTORY) - 1, s.n), loop, ledger, metrics, why, ret_backend);
	if (str_is(s, BACKEND_KUBERNETES))
		return open_kubernetes(options, loop, metrics, why, ret_backend);
	if (str_is(s, MEMORY)) {
		struct memory_store *store = memory_store_new(/* seed= */ 1); /* the process' own, until its end */

		return store ? memory_open_loop(store, loop, why, ret_backend) : why_set(why, E_NOMEM, "open");
	}
	return why_set(why, E_CONFIG, "'%s' is no backend: write " FORMS, options->name);
}
