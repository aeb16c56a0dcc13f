/*
 * Tests that speak TAP: one function a case, a table in main.
 *
 *     static void appends(void) { CHECK(1 + 1 == 2); CHECK_TEXT(name, "desk"); }
 *     int main(void) { return TAP_RUN({"appends", appends}); }
 *
 * A failed check says where and what, ends nothing, and makes its case "not ok". REQUIRE also ends
 * the case (return).
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How often: many times in the plain build, a few under a sanitizer, where one takes as long as
 * many, and which looks for other mistakes than those that only the rare seed finds.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TAP_IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TAP_IS_SANITIZED 1
#endif
#ifndef TAP_IS_SANITIZED
#define TAP_IS_SANITIZED 0
#endif
#define TAP_TIMES(plain, sanitized) (TAP_IS_SANITIZED ? (sanitized) : (plain))

struct tap_case {
    const char *name;
    void (*run)(void);
};

#define TAP_RUN(...)                                                                               \
    tap_run((const struct tap_case[]){__VA_ARGS__},                                                \
            sizeof((const struct tap_case[]){__VA_ARGS__}) / sizeof(struct tap_case))

int tap_run(const struct tap_case *cases, size_t count);

/* The running case is skipped, for a reason that names what is missing. */
void tap_skip(const char *reason);

/* A note in the output. */
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

bool tap_check(bool good, const char *file, int line, const char *what);
bool tap_check_u64(uint64_t got, uint64_t want, const char *file, int line, const char *what);
bool tap_check_text(const char *got, size_t got_len, const char *want, const char *file, int line,
                    const char *what);

#define CHECK(condition) tap_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_U64(got, want)                                                                       \
    tap_check_u64((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, #got)
#define CHECK_TEXT(text, want)                                                                     \
    tap_check_text((text).ptr, (text).len, (want), __FILE__, __LINE__, #text)
#define CHECK_STRING(string, want)                                                                 \
    tap_check_text((string), __builtin_strlen(string), (want), __FILE__, __LINE__, #string)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!CHECK(condition))                                                                     \
            return;                                                                                \
    } while (0)

#endif
