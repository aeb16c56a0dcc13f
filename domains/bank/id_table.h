/* A table of items by their ids, in memory: for words on the command line, not for the server. */
#ifndef BANK_ID_TABLE_H
#define BANK_ID_TABLE_H

#include "domains/bank/ids.h"

/* What items of a table begin with. */
struct id_name {
    uint8_t len;
    char text[BANK_ID_MAX];
};

/* Items by id; they move when one is added. Zeroed but for item_bytes it is empty. */
struct id_table {
    size_t item_bytes, count, max;
    uint8_t *items;
    uint32_t *slots; /* 1 + the item's place; 0: free */
    size_t slot_count;
};

/* The item with this id, until one is added; NULL: there is none. */
void *id_table_find(const struct id_table *table, struct sl_text id);

/* A zeroed item more but for its name; there must be none with this id. NULL: no memory, or the id
 * is longer than ids are. */
void *id_table_add(struct id_table *table, struct sl_text id);

void id_table_free(struct id_table *table);

#endif
