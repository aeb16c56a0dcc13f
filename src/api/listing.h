/* What a list's query may say besides equal fields: ranges, and aggregates. Private to this folder.
 */
#ifndef SL_API_LISTING_H
#define SL_API_LISTING_H

#include "api/parts.h"

enum api_take {
    API_NOT_MINE = 1, /* the parameter is another's */
    API_TAKEN,
    API_REFUSED, /* it was answered */
};

/* One end, as it was given. */
struct api_range_end {
    struct sl_text name; /* of the parameter: "from", "at.from"; empty: there is none */
    struct sl_text value;
};

struct api_range {
    struct api_range_end from;
    struct api_range_end to;
    const struct sl_field *field; /* that FIELD.from or FIELD.to names; NULL: whichever is next */
};

/* Takes from=, to=, FIELD.from= and FIELD.to=. Where the record has a field `from` or `to`, that
 * name without a dot means the field. */
enum api_take api_range_take(struct api_range *range, struct api_call *call, struct sl_text name,
                             struct sl_text value);
static inline bool api_range_is_given(const struct api_range *range)
{
    return range->from.name.len > 0 || range->to.name.len > 0;
}
/* Is the range's field the place's first behind as many equal ones? True where none is given. */
bool api_range_fits(const struct api_range *range, const struct sl_place *place,
                    uint32_t equal_count);
/* Refuses: this index has no field for the range. `fields` are the index's. */
void api_range_refuse(const struct api_range *range, struct api_call *call, const char *fields);
/* Reads the values into query->from and query->to, by the index that the query has. False: it was
 * answered. */
bool api_range_read(const struct api_range *range, struct api_call *call,
                    struct sl_list_query *query);

/* ---- Aggregates (http_aggregate.c) ----------------------------------------------------------- */

struct api_aggregate {
    struct sl_aggregate_query query;
    struct sl_aggregate_item items[SL_AGGREGATES_MAX];
    bool is_given; /* by aggregate=, without which the others have no meaning */
};

/* The words of every=, as SL_NAMES has names; they stand for the nanoseconds at the same place. */
extern const char *const api_every_names[];

/* Takes aggregate=, by= and every=. */
enum api_take api_aggregate_take(struct api_aggregate *aggregate, struct api_call *call,
                                 struct sl_text name, struct sl_text value);
/* Is the place's first field behind as many equal ones a time, where stretches are wanted? */
bool api_aggregate_fits(const struct api_aggregate *aggregate, const struct sl_place *place,
                        uint32_t equal_count);
/* Refuses: this index is not in order of a time. */
void api_aggregate_refuse_index(struct api_call *call, const char *fields);
/* Completes the listing's query by the list that it is of. False: it was answered. */
bool api_aggregate_read(struct api_aggregate *aggregate, struct api_call *call,
                        struct sl_view_listing *listing);
/* Answers what the reader refused. */
void api_aggregate_refuse(struct api_call *call, const struct sl_view_listing *listing);

/* ---- Facets (http_facets.c) ------------------------------------------------------------------ */

struct api_facets {
    const struct sl_field *fields[SL_FACETS_MAX];
    uint32_t count; /* 0: none */
};

/* Takes facets=. */
enum api_take api_facets_take(struct api_facets *facets, struct api_call *call, struct sl_text name,
                              struct sl_text value);
/* Completes the query: the given fields are filters of a search. False: it was answered. */
bool api_facets_read(const struct api_facets *facets, struct api_call *call,
                     const struct sl_field *const *given, uint32_t given_count,
                     struct sl_list_query *query);

/* Is it a nearby query? And its answer (http_near.c). */
bool api_is_near(struct api_call *call);
void api_get_near(struct api_call *call);

/* The record's field of this name, or NULL (http_list.c). */
const struct sl_field *api_field_named(const struct sl_record *record, struct sl_text name);

#endif
