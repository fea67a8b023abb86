/* when_impl.h -- what when.c and when_layout.c share. */
#pragma once

#include "filter/when.h"

/* Days from 1970-01-01 to a date. */
int64_t when_days(int64_t year, int month, int day);

/* Digits behind a point, as a part of one, cut off `*s`; `ret_n` of them. */
double when_read_fraction(struct str *s, size_t *ret_n);
