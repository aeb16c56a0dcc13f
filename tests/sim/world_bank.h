/*
 * The bank's books of a world, kept a second time from what stands in the log: what each account
 * holds, and what became of each pending transfer. What is wrong is said by world_expect.
 */
#ifndef TESTS_SIM_WORLD_BANK_H
#define TESTS_SIM_WORLD_BANK_H

#include "tests/sim/world.h"

struct world_books;

/* Empty books. NULL: no memory. */
struct world_books *world_books_new(struct world *world);
void world_books_free(struct world_books *books); /* NULL is allowed */

/* The log's next event, whichever it is. */
void world_books_note(struct world_books *books, const struct sl_stored_event *event);

/* An account's balance. */
int64_t world_books_balance(const struct world_books *books, size_t account);

/* Is the transfer of this command (WORLD_HOLD) pending? */
bool world_books_holds(const struct world_books *books, size_t number);

/* The row of the trial balance, in part: all its sums. */
void world_books_trial(const struct world_books *books, char *out, size_t size);

/* Every pending transfer was resolved at most once, and, when `is_late`, so that all time-outs have
 * passed, none is held that had one. */
void world_books_check(const struct world_books *books, bool is_late);

#endif
