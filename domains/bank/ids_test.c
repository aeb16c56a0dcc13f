/* Ids as text and as numbers: both ways lead back, and each text is one number only. */
#include "domains/bank/ids.h"
#include "tap/tap.h"

#include <string.h>

#define NAMES ((sl_u128)1 << 127)

static bool reads(const char *text, sl_u128 *out)
{
    return bank_id_read((struct sl_text){text, strlen(text)}, out);
}

/* What is written is read as the same number. */
static bool leads_back(sl_u128 id)
{
    char text[BANK_ID_MAX];
    const size_t len = bank_id_write(id, text);
    sl_u128 again = ~id;

    return len > 0 && len <= BANK_ID_MAX &&
           bank_id_read((struct sl_text){text, len}, &again) && again == id;
}

static bool writes(sl_u128 id, const char *expected)
{
    char text[BANK_ID_MAX];
    const size_t len = bank_id_write(id, text);

    return len == strlen(expected) && memcmp(text, expected, len) == 0;
}

static void texts_and_numbers(void)
{
    sl_u128 id = 0, name = 1;

    CHECK(reads("", &id) && id == 0);
    CHECK(reads("0", &id) && id == 0 && writes(0, "0"));
    CHECK(reads("17", &id) && id == 17 && writes(17, "17"));
    CHECK(reads("18446744073709551616", &id) && id == (sl_u128)1 << 64);
    CHECK(reads("10000000000000000000", &id) && writes(id, "10000000000000000000"));
    CHECK(reads("100000000000000000000000000000000000001", &id) &&
          writes(id, "100000000000000000000000000000000000001"));
    CHECK(reads("340282366920938463463374607431768211455", &id) && id == ~(sl_u128)0);
    CHECK(reads("A", &id) && id > NAMES && writes(id, "A"));
    CHECK(reads("A-", &name) && name > id && writes(name, "A-"));
    CHECK(reads("007", &id) && id > NAMES && writes(id, "007"));
    CHECK(reads("-_zZ9", &id) && writes(id, "-_zZ9"));
    CHECK(reads("---------------------", &id) && writes(id, "---------------------"));
}

static void what_is_no_id(void)
{
    static const char *const none[] = {
        " ", "a b", "a.b", "\xc3\xa4", "aaaaaaaaaaaaaaaaaaaaaa", "0123456789012345678901",
        "340282366920938463463374607431768211456", "999999999999999999999999999999999999999",
        "1000000000000000000000000000000000000000"};
    char text[BANK_ID_MAX + 1] = {0};
    sl_u128 id = 5;

    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        CHECK(!reads(none[i], &id));
    CHECK(id == 5);
    /* The number of a name is written as the name alone. */
    CHECK(reads("ada", &id) && bank_id_write(id, text) == 3);
    const sl_u128 number = id;
    size_t len = 0;
    char digits[BANK_ID_MAX];
    for (sl_u128 rest = number; rest > 0; rest /= 10)
        digits[len++] = (char)('0' + (int)(rest % 10));
    for (size_t i = 0; i < len; i++)
        text[i] = digits[len - 1 - i];
    CHECK(!reads(text, &id));
}

static void all_lead_back(void)
{
    uint64_t seed = UINT64_C(88172645463325252);
    int lost = 0;

    for (int bit = 0; bit < 128; bit++)
        for (int i = 0; i < 500; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            const sl_u128 id = ((sl_u128)seed << 64 | seed * UINT64_C(2685821657736338717)) >> bit;
            lost += !leads_back(id) + !leads_back(~id) + !leads_back(NAMES + id / 2);
        }
    for (sl_u128 power = 1; power <= ~(sl_u128)0 / 10; power *= 10)
        lost += !leads_back(power - 1) + !leads_back(power) + !leads_back(power + 1);
    CHECK(lost == 0);
}

int main(void)
{
    return TAP_RUN({"a text is one number, and a number one text", texts_and_numbers},
                   {"what is no id is refused", what_is_no_id},
                   {"what is written is read again", all_lead_back});
}
