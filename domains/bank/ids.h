/*
 * Ids as people write them, and as the ledger counts them: each text is one number of 128 bits and
 * each number one text, so that both ways into the bank name the same accounts and transfers.
 *
 *     0 to 2^127-1          a number                     "17"
 *     from 2^127 on         a name: 1 to 21 of A-Z a-z 0-9 _ -, not all digits unless a 0 leads:
 *                           "ada", "C1231006815", "007"
 *     what is left of these a number again               "255211775190703847597530955573826158592"
 *
 * A name is 2^127 plus the number that its letters write to the base 65, most significant first,
 * filled up with the digit 0, which is no letter's.
 */
#ifndef BANK_IDS_H
#define BANK_IDS_H

#include <sluice/types.h>

enum { BANK_NAME_MAX = 21, BANK_ID_MAX = 39 };

/* False: it is no id, or not the text that bank_id_write makes of it. The empty text is 0. */
bool bank_id_read(struct sl_text text, sl_u128 *out);

/* Writes the id, without a zero at its end; returns its length. 0 is "0". */
size_t bank_id_write(sl_u128 id, char out[BANK_ID_MAX]);

#endif
