/* Currencies of ISO 4217. A currency's number is the number of its ledger: EUR is 978. */
#ifndef BANK_CURRENCIES_H
#define BANK_CURRENCIES_H

#include <sluice/types.h>

struct bank_currency {
    char code[4];
    uint16_t number;
    uint8_t digits; /* of its minor unit: 2, a cent is a hundredth */
};

/* NULL: there is none. A constant. */
const struct bank_currency *bank_currency_named(const char *code);
const struct bank_currency *bank_currency_numbered(uint32_t ledger);

#endif
