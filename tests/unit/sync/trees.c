#include "trees.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

json_object *tree_of(const char *text)
{
	char copy[8192];
	json_object *tree;
	size_t n = strlen(text);

	assert_true(n < sizeof(copy));
	for (size_t i = 0; i <= n; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	tree = json_tokener_parse(copy);
	if (!tree)
		fail_msg("not JSON: %s", text);
	return tree;
}

void expect_row(const char *row, json_object *tree, const char *text)
{
	json_object *expected = tree_of(text);

	if (!json_object_equal(tree, expected))
		fail_msg("%s: expected %s\n     got %s", row,
			 json_object_to_json_string_ext(expected, JSON_C_TO_STRING_PLAIN),
			 json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN));
	json_object_put(expected);
}

void expect_tree(json_object *tree, const char *text)
{
	expect_row("tree", tree, text);
}

const char *at(json_object *tree, const char *path)
{
	struct str rest = str_of(path);
	char key[256];

	while (rest.n) {
		struct str step = str_cut(&rest, '.');

		assert_true(step.n < sizeof(key));
		memcpy(key, step.p, step.n);
		key[step.n] = '\0';
		if (json_object_is_type(tree, json_type_array))
			tree = json_object_array_get_idx(tree, (size_t)strtoul(key, NULL, 10));
		else if (!json_object_object_get_ex(tree, key, &tree))
			return "";
	}
	return tree ? json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
		    : "";
}
