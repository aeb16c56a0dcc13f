#include "api/glob.h"

#include <string.h>

/* Is the byte of the set that begins behind pattern[*at] == '['? Moves `*at` behind the set; one
 * that is not closed ends with the pattern. */
static bool is_in_set(struct sl_text pattern, size_t *at, uint8_t byte)
{
    size_t i = *at + 1;
    bool found = false;
    const bool negated = i < pattern.len && pattern.ptr[i] == '^';

    i += negated;
    while (i < pattern.len && pattern.ptr[i] != ']') {
        if (pattern.ptr[i] == '\\' && i + 1 < pattern.len)
            i++;
        uint8_t low = (uint8_t)pattern.ptr[i], high = low;
        if (i + 2 < pattern.len && pattern.ptr[i + 1] == '-') {
            high = (uint8_t)pattern.ptr[i + 2];
            i += 2;
        }
        if (low > high) {
            const uint8_t swap = low;
            low = high;
            high = swap;
        }
        found |= byte >= low && byte <= high;
        i++;
    }
    *at = i < pattern.len ? i + 1 : i;
    return found != negated;
}

/* Does what stands at pattern[*at], which is no '*', stand for this byte? Moves behind it. */
static bool takes(struct sl_text pattern, size_t *at, uint8_t byte)
{
    switch (pattern.ptr[*at]) {
    case '?':
        ++*at;
        return true;
    case '[':
        return is_in_set(pattern, at, byte);
    case '\\':
        if (*at + 1 < pattern.len)
            ++*at;
        break;
    default:
        break;
    }
    return (uint8_t)pattern.ptr[(*at)++] == byte;
}

/* Where a later part fails, only the last '*' may take a byte more: the parts before it were
 * matched as early as can be, which leaves most to what follows. */
bool sl_glob_matches(struct sl_text pattern, struct sl_text text)
{
    size_t at = 0, i = 0;
    size_t star = SIZE_MAX, star_text = 0;

    while (i < text.len) {
        if (at < pattern.len && pattern.ptr[at] == '*') {
            star = ++at;
            star_text = i;
            continue;
        }
        if (at < pattern.len && takes(pattern, &at, (uint8_t)text.ptr[i])) {
            i++;
            continue;
        }
        if (star == SIZE_MAX)
            return false;
        at = star;
        i = ++star_text;
    }
    while (at < pattern.len && pattern.ptr[at] == '*')
        at++;
    return at == pattern.len;
}

size_t sl_glob_literal(struct sl_text pattern)
{
    size_t len = 0;

    while (len < pattern.len && !memchr("*?[\\", pattern.ptr[len], 4))
        len++;
    return len;
}
