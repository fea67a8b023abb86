/*
 * filter_limits.h -- every limit of a filter, a row each. Included with X defined.
 */
/* clang-format off */
/* field           value      unit      meaning */
X(TEXT_MAX,        16 << 10,  "bytes",  "Length of an expression.")
X(NEST_MAX,        200,       "levels", "Brackets and operands inside each other in an expression.")
X(HEIGHT_MAX,      1000,      "levels", "Height of an expression's tree: operators in a row count, too.")
X(TREE_MAX,        4 << 20,   "bytes",  "Memory of a compiled expression.")
X(STEPS_MAX,       1000000,   "steps",  "Work of one evaluation: a step is an operand, an element of an array, or 64 bytes that are looked at.")
X(MEMORY_MAX,      4 << 20,   "bytes",  "Memory of one evaluation.")
X(DEPTH_MAX,       200,       "levels", "Nesting of a value that is compared or written as JSON; dots in a key.")
X(PATTERN_MAX,     1000,      "bytes",  "Length of a regular expression.")
X(REPEAT_MAX,      RE2_REPEAT_MAX,  "times",   "Largest count in a regular expression: x{1000}.")
X(STATES_MAX,      200,       "places", "Places of a regular expression that the text can have reached at a time.")
/* clang-format on */
