#include "cli/manifests.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int manifests_collect(const struct invocation *inv, const struct option_list *given, struct manifests *ret_manifests)
{
	struct manifests m = { 0 };

	if (given->n + inv->operand_count > sizeof(m.files) / sizeof(m.files[0]))
		return command_misused(inv, "too many files");
	/* Operands on the command line win over the environment, as -f does. */
	if (!(given->owned && inv->operand_count))
		for (size_t i = 0; i < given->n; i++)
			m.files[m.n++] = given->items[i];
	for (size_t i = 0; i < inv->operand_count; i++)
		m.files[m.n++] = inv->operands[i];
	if (m.n == 0 && access(MANIFEST_DEFAULT, F_OK) != 0 && errno == ENOENT)
		return command_misused(
			inv, "no configuration: give -f FILE or set HOLDFAST_CONFIG; there is no " MANIFEST_DEFAULT);
	if (m.n == 0)
		m.files[m.n++] = MANIFEST_DEFAULT;
	*ret_manifests = m;
	return EXIT_DONE;
}

enum err manifests_load(const struct manifests *manifests, struct gateway_config **ret_config)
{
	struct problems problems = { 0 };
	struct buf text = { 0 };
	enum err err = gateway_config_load(manifests->files, manifests->n, &problems, ret_config);

	problems_write(&problems, &text);
	(void)fprintf(stderr, "%.*s", STR_ARG(buf_view(&text)));
	buf_release(&text);
	problems_release(&problems);
	return err;
}
