#include "filter/function.h"

#include "filter/functions_code.h"

const struct function functions[] = {
#define X(space, name, min, max, types, result, code, usage, meaning) \
	{ space, name, min, max, types, result, code, usage, meaning },
#include "filter/functions.h"
#undef X
	{ 0 },
};

const struct function *function_find(const char *space, struct str name)
{
	for (const struct function *f = functions; f->name; f++)
		if (strcmp(f->space, space) == 0 && str_is(name, f->name))
			return f;
	return NULL;
}

const struct function *function_nearest(const char *space, struct str name)
{
	const struct function *nearest = NULL;
	unsigned best = name.n < 4 ? 2 : 3;

	for (const struct function *f = functions; f->name; f++) {
		unsigned distance = strcmp(f->space, space) == 0 ? str_distance(name, str_of(f->name)) : best;

		if (distance < best) {
			best = distance;
			nearest = f;
		}
	}
	return nearest;
}

char function_type_at(const struct function *f, size_t i)
{
	size_t n = strlen(f->types);

	return n == 0 ? 'v' : f->types[i < n ? i : n - 1];
}

static const char letters[] = {
#define X(type, name, letter) letter,
	VALUE_TYPES(X)
#undef X
};

const char *function_type_name(char letter)
{
	for (size_t i = 0; i < sizeof(letters); i++)
		if (letters[i] == letter)
			return value_type_name((enum value_type)i);
	return letter == 'n' ? "number" : "any";
}

bool function_takes(char letter, struct value v)
{
	return letter == 'v' || function_type_is_lazy(letter) || letters[v.type] == letter ||
	       ((letter == 'n' || letter == 'i') && value_is_number(v));
}
