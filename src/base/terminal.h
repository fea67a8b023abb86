/*
 * terminal.h -- what stands behind a descriptor that people look at.
 *
 * Units     columns and rows of characters
 */
#pragma once

#include <stdbool.h>
#include <sys/ioctl.h>

/* 80 columns and 24 rows of a terminal that does not say; zeroes: it is none. */
struct winsize terminal_size(int fd);

/* A terminal that can be drawn on (ECMA-48): TERM=dumb is a terminal, and cannot. */
bool terminal_draws(int fd);
