/* A footer in the making: what the sealing of a segment learns, and its pages, one by one. Pure,
 * but for memory; one owner. */
#ifndef SL_STORES_LOG_FOOTER_H
#define SL_STORES_LOG_FOOTER_H

#include "base/buf.h"
#include "stores/log/sealed.h"

struct sl_log_footer {
    struct sl_log_place *places;
    size_t place_count, place_capacity;
    struct sl_log_pair *pairs; /* whole hashes, in the order of positions, until they are sorted */
    size_t pair_count, pair_capacity;
    struct sl_buf catalog; /* frames */
    /* While pages are made. */
    enum sl_log_page_kind kind; /* of the next page; 0: not begun */
    uint32_t number;            /* of the next page */
    size_t next;                /* place, pair or byte that it begins with */
    struct sl_log_pair *guides;
    size_t guide_count, guide_capacity;
    uint32_t filter_pages;
};

/* False: no memory. */
bool sl_log_footer_place(struct sl_log_footer *footer, const struct sl_log_place *place);
bool sl_log_footer_pair(struct sl_log_footer *footer, uint64_t hash, uint64_t position);

/* Sorts; `number` is that of the first page. Nothing is added any more. False: no memory. */
bool sl_log_footer_finish(struct sl_log_footer *footer, uint32_t number);

/* Fills the next page and enters it into head->pages; SL_NOT_FOUND after the last one. */
enum sl_err sl_log_footer_page(struct sl_log_footer *footer, struct sl_log_sealed_head *head,
                               uint8_t *page) SL_USE_RESULT;

void sl_log_footer_close(struct sl_log_footer *footer);

#endif
