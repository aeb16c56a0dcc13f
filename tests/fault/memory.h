/*
 * Allocations of this project's code and of SQLite, counted, and failing when told. The test is
 * linked with --wrap, so that calls from our own files come here; a sanitizer stays below.
 *
 * One thread only.
 */
#ifndef TESTS_FAULT_MEMORY_H
#define TESTS_FAULT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_SITES_MAX = 400000 };

/* The n-th allocation from now on fails (1: the next), and so do those after it, `count` in all.
 * 0: none. The simulator's own are let through and not counted. */
void memory_fail(uint64_t nth, uint64_t count);

/* Since the last memory_fail: allocations, and how many of them failed. */
uint64_t memory_count(void);
uint64_t memory_failed(void);

/* Blocks that were taken and not given back, less those of libraries. */
int64_t memory_live(void);

/* From now on the place in the program that asked is written down for each allocation. */
void memory_record(const void **sites);

/* SQLite's allocations, too. Before SQLite is used. */
void memory_take_sqlite(void);

#endif
