/*
 * banned.h -- functions that nobody here calls. The build puts it in front of every C file.
 *
 * Shape     the headers that declare them come first; from here on their names do not compile.
 *           Instead: buf.h or snprintf() for text, str_to_u64() for numbers, str_cut() for words, clock.h for times,
 *           rand.h for randomness.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

/* Some are macros of the fortified headers. */
#undef strcpy
#undef stpcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets

#pragma GCC poison strcpy stpcpy strcat strncpy strncat sprintf vsprintf gets
#pragma GCC poison strtok atoi atol atoll atof sscanf
#pragma GCC poison asctime ctime gmtime localtime
#pragma GCC poison srand srandom drand48
#pragma GCC poison tmpnam tempnam mktemp
