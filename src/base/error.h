/* Failures of the world, and bugs. */
#ifndef SL_BASE_ERROR_H
#define SL_BASE_ERROR_H

#include <sluice/types.h>

#define SL_USE_RESULT __attribute__((warn_unused_result))

/* Fills `error` (NULL is allowed) with a code, errno as it is now for SL_IO (else 0) and a message,
 * and returns the code: `return sl_fail(error, SL_IO, "cannot open %s", path);`. For SL_IO the text
 * of errno is appended after ": ". */
enum sl_err sl_fail(struct sl_error *error, enum sl_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "no memory", "corrupt", … */
const char *sl_err_name(enum sl_err code);

/* A bug: prints place, condition and the invariant's number if one is named, and aborts. Always on.
 * SL_ASSERT(position == log->next, "L1"); */
#define SL_ASSERT(...) SL_ASSERT_AS(__VA_ARGS__, "", "")
#define SL_ASSERT_AS(condition, invariant, ...)                          \
    do {                                                                 \
        if (__builtin_expect(!(condition), 0))                           \
            sl_assert_failed(__FILE__, __LINE__, #condition, invariant); \
    } while (0)

_Noreturn void sl_assert_failed(const char *file, int line, const char *condition,
                                const char *invariant);

/* Tests can prove that a branch was reached: SL_MARK("torn tail") counts, sl_mark_count("torn
 * tail") reads and any thread may do either. Compiled to nothing unless SL_MARKS is defined. */
#ifdef SL_MARKS
#define SL_MARK(name) sl_mark(name)
#else
#define SL_MARK(name) ((void)0)
#endif
void sl_mark(const char *name);
unsigned sl_mark_count(const char *name);

#endif
