/*
 * number.h -- numbers as text, as Go writes and reads them.
 *
 * Source    strconv.FormatFloat 'g' and encoding/json's rule for floats; strconv.Atoi, strconv.ParseFloat
 */
#pragma once

#include "base/buf.h"

#define NUMBER_TEXT_MAX 40

/* The shortest digits that read back as the same number: 1e+06, 0.1, 3. Returns the length. */
size_t number_write(double number, char to[NUMBER_TEXT_MAX]);

/* The same in the form that JSON has: 1000000, 1e+21. The number is finite. */
size_t number_write_json(double number, char to[NUMBER_TEXT_MAX]);

/* `base` 10, or 0: 0x10 is 16 and 010 is 8. False: no whole number, or it does not fit. */
bool number_read_int(struct str s, int base, int64_t *ret_value);

bool number_read_float(struct str s, double *ret_value);

/* `number` cut to an integer; false: it is none of 64 bits. */
bool number_to_int(double number, int64_t *ret_value);
