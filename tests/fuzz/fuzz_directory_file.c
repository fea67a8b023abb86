/*
 * Directory files: YAML, JSON and a status file to an object and back. Properties: a file is accepted or something is told;
 * what is accepted is an object of the place it stands in; what is written from it reads back as the same content, in YAML
 * and in JSON, and is written the same way again. The first byte says how the input is cut.
 */
#include <stdint.h>
#include <stdlib.h>

#include "backend/directory_file.h"
#include "base/mem.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static const struct directory_key key = { OBJECT_APPLICATION, "argocd", "guestbook" };

static void must_come_back(json_object *tree, enum directory_part part)
{
	struct buf object = { 0 };
	struct buf status = { 0 };
	struct why why = { 0 };
	struct buf before = { 0 };
	struct buf after = { 0 };
	json_object *again = NULL;
	char uid[DIRECTORY_UID_MAX + 1];

	MUST(directory_object_text(tree, part, &object, &why) == E_OK);
	MUST(directory_status_text(tree, &status, &why) == E_OK);
	MUST(directory_content(&key, part, buf_view(&object), buf_view(&status), &why, &again, uid) == E_OK);
	MUST(tree_write(tree, &before, &why) == E_OK && tree_write(again, &after, &why) == E_OK);
	MUST(str_eq(buf_view(&before), buf_view(&after)));
	buf_release(&before);
	buf_release(&after);
	json_object_put(again);
	buf_release(&object);
	buf_release(&status);
}

static void look(json_object *tree)
{
	MUST(strcmp(tree_meta(tree, "name"), key.name) == 0);
	MUST(strcmp(tree_meta(tree, "namespace"), key.namespace) == 0);
	MUST(!*tree_meta(tree, "uid") && !*tree_meta(tree, "resourceVersion"));
	must_come_back(tree, DIRECTORY_YAML);
	must_come_back(tree, DIRECTORY_JSON);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str object = { (const char *)data, size };
	struct str status = { 0 };
	enum directory_part part;
	json_object *tree = NULL;
	struct why why = { 0 };
	char uid[DIRECTORY_UID_MAX + 1];

	if (size == 0)
		return 0;
	part = data[0] & 1 ? DIRECTORY_JSON : DIRECTORY_YAML;
	object = str_sub(object, 1, size);
	if (data[0] & 2) {
		struct str rest = object;

		object = str_cut(&rest, '\x01');
		status = rest.p ? rest : STR("");
	}
	if (directory_content(&key, part, object, status, &why, &tree, uid) == E_OK)
		look(tree);
	else
		MUST(why.err != E_OK && why.text[0]);
	json_object_put(tree);
	return 0;
}
