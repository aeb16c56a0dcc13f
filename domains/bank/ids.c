#include "domains/bank/ids.h"

#include <string.h>

#define NAMES ((sl_u128)1 << 127)

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

enum { BASE = sizeof letters }; /* the terminator's place counts as the empty digit */

_Static_assert(BASE == 65, "21 digits to the base 65 are less than 2^127");

enum { WORD_DIGITS = 10 };
#define WORD UINT64_C(1346274334462890625) /* 65^10 */

enum { NUMBER_WORD_DIGITS = 19 };
#define NUMBER_WORD UINT64_C(10000000000000000000) /* 10^19 */

_Static_assert(BANK_NAME_MAX == 2 * WORD_DIGITS + 1, "the first word has one digit");

/* Its place in `letters`, from 1; 0: no letter of a name. */
static unsigned digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (unsigned)(c - 'A') + 1;
    if (c >= 'a' && c <= 'z')
        return (unsigned)(c - 'a') + 27;
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0') + 53;
    return c == '_' ? 63 : c == '-' ? 64 : 0;
}

static bool is_number(struct sl_text text)
{
    if (text.len == 0 || (text.ptr[0] == '0' && text.len > 1))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return true;
}

/* In words as large as 64 bits hold, since arithmetic of 128 bits costs a multiple. */
static bool read_number(struct sl_text text, sl_u128 *out)
{
    sl_u128 number = 0;

    for (size_t i = 0; i < text.len;) {
        const size_t left = text.len - i;
        const size_t until = i + (left < NUMBER_WORD_DIGITS ? left : NUMBER_WORD_DIGITS);
        uint64_t word = 0, power = 1;
        for (; i < until; i++, power *= 10)
            word = word * 10 + (uint64_t)(text.ptr[i] - '0');
        if (__builtin_mul_overflow(number, power, &number) ||
            __builtin_add_overflow(number, word, &number))
            return false;
    }
    *out = number;
    return true;
}

/* Names likewise, the first word of one digit. */
static const struct word {
    size_t from, until; /* of the letters */
} name_words[] = {{0, 1}, {1, 1 + WORD_DIGITS}, {1 + WORD_DIGITS, BANK_NAME_MAX}};

static bool read_name(struct sl_text text, sl_u128 *out)
{
    sl_u128 number = 0;

    if (text.len > BANK_NAME_MAX)
        return false;
    for (size_t w = 0; w < 3; w++) {
        const struct word *at = &name_words[w];
        uint64_t word = 0;
        size_t i = at->from;
        for (; i < at->until && i < text.len; i++) {
            const unsigned digit = digit_of(text.ptr[i]);
            if (digit == 0)
                return false;
            word = word * BASE + digit;
        }
        for (; i < at->until; i++)
            word *= BASE;
        number = number * WORD + word;
    }
    *out = NAMES + number;
    return true;
}

/* Its length; 0: the number is no name's. */
static size_t write_name(sl_u128 id, char out[BANK_ID_MAX])
{
    const sl_u128 number = id - NAMES, high = number / WORD;
    const uint64_t words[] = {(uint64_t)(high / WORD), (uint64_t)(high % WORD),
                              (uint64_t)(number - high * WORD)};
    char name[BANK_NAME_MAX];
    size_t len = 0;

    if (words[0] >= BASE)
        return 0;
    for (size_t w = 3; w-- > 0;) {
        const struct word *at = &name_words[w];
        uint64_t rest = words[w];
        if (rest == 0 && len == 0)
            continue;
        for (size_t i = at->until; i-- > at->from; rest /= BASE) {
            const unsigned digit = (unsigned)(rest % BASE);
            if (digit == 0 && len > 0)
                return 0; /* a gap */
            if (digit == 0)
                continue;
            name[i] = letters[digit - 1];
            len = len > 0 ? len : i + 1;
        }
    }
    if (len == 0 || is_number((struct sl_text){name, len}))
        return 0;
    memcpy(out, name, len);
    return len;
}

/* Writes `word`, the last digit before `end`; returns where it begins. */
static char *write_word(uint64_t word, char *end)
{
    do
        *--end = (char)('0' + (int)(word % 10));
    while ((word /= 10) > 0);
    return end;
}

static size_t write_number(sl_u128 number, char out[BANK_ID_MAX])
{
    char digits[BANK_ID_MAX + NUMBER_WORD_DIGITS], *const end = digits + sizeof digits;
    char *at = end;

    for (size_t words = 1; number >= NUMBER_WORD; words++) {
        char *const begin = end - words * NUMBER_WORD_DIGITS;
        const sl_u128 high = number / NUMBER_WORD;
        memset(begin, '0', NUMBER_WORD_DIGITS);
        write_word((uint64_t)(number - high * NUMBER_WORD), at);
        at = begin;
        number = high;
    }
    at = write_word((uint64_t)number, at);
    memcpy(out, at, (size_t)(end - at));
    return (size_t)(end - at);
}

size_t bank_id_write(sl_u128 id, char out[BANK_ID_MAX])
{
    const size_t len = id >= NAMES ? write_name(id, out) : 0;

    return len > 0 ? len : write_number(id, out);
}

/* A name is the only text of its number, and so is a number that is no name's. */
bool bank_id_read(struct sl_text text, sl_u128 *out)
{
    char name[BANK_ID_MAX];
    sl_u128 id = 0;

    if (text.len > 0 && !is_number(text)) {
        if (!read_name(text, &id))
            return false;
    } else if (!read_number(text, &id) || (id >= NAMES && write_name(id, name) > 0)) {
        return false;
    }
    *out = id;
    return true;
}
