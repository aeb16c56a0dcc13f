/*
 * A domain: one descriptor that says which commands, events, views and processes a business has.
 *
 * `decide`, `evolve`, `project` and `react` are functions of their arguments only. They do no I/O,
 * read no clock and keep no globals: the log is replayed through them, on other days and on other
 * machines, and must come out the same. They run on the engine's thread and must be short.
 *
 * Places are written in one grammar: a list of fields, "desk, day". It stands in the keys of
 * needs, views, indexes, processes and tags. The values become one text, joined by commas, with
 * `%`, `,`, `/`, `:` and control characters written as %XX, so that two places never collide.
 * A place is at most 512 bytes.
 *
 * Descriptors are constant and live as long as the program.
 */
#ifndef SLUICE_DOMAIN_H
#define SLUICE_DOMAIN_H

#include <sluice/record.h>

/* Tables of a domain are left short on purpose: what is not said is zero, and means "none". */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* A list inside a table: SL_LIST(const struct sl_need, { &desk_days, "desk, day" }). */
#define SL_LIST(type, ...)                                                  \
    {                                                                       \
        (type[]){__VA_ARGS__}, sizeof((type[]){__VA_ARGS__}) / sizeof(type) \
    }

/* ---- Events ------------------------------------------------------------------------------- */

/* What happened, in the past tense. `tags` says which aggregates, besides its stream's, an event
 * belongs to: "desk" means a tag named desk with the field desk; "account=debit, account=credit"
 * names tag and field apart; "desk-day=(desk day)" joins several fields; "book=()" is
 * on every event of the type, for an aggregate of which there is but one, with the empty key. At
 * most 16, each 128 bytes; a tag whose fields are all empty is left out. */
struct sl_event_type {
    const char *name;
    uint32_t version; /* from 1; raise it when the record's meaning changes */
    const struct sl_record *record;
    const char *tags;
    /* Earlier versions, each with the function that makes the next one of it. */
    struct sl_upcast_list {
        const struct sl_upcast *items;
        size_t count;
    } upcasts;
    /* How long its body is of use: "90d", "12h", "30m", "0s". Once older, it may be taken out of
     * the log by `sluice log scavenge`; NULL: never. The event then still has its place, but no
     * function of the domain is called with it any more. So say it only of events without which, by
     * then, `evolve` and `react` come to states that decide the same; of views, what `project` made
     * of it is missing when they are rebuilt. */
    const char *keep;
};

/* `from` is a struct of `record`; `to` a zeroed one of the next version's record. What `to` takes
 * by pointer from `from` lives long enough. */
struct sl_upcast {
    uint32_t version;
    const struct sl_record *record;
    void (*raise)(const void *from, void *to);
};

/* An event as evolve, project and react see it. All of it is borrowed for the call. */
struct sl_event {
    const struct sl_event_type *type;
    const void *body; /* a struct of type->record */
    uint64_t position;
    uint64_t revision;
    struct sl_time time;    /* when it was decided */
    struct sl_text stream;  /* "desk-day/A4,2026-11-23" */
    struct sl_uuid command; /* the command that caused it */
    struct sl_text principal; /* and who sent that: a token's name, "local", "process/NAME",
                                 "embedder"; empty: nobody that is known */
};

/* ---- The write side ----------------------------------------------------------------------- */

/* State that decides. Its history is every event in its stream (name "/" key) or tagged with its
 * name and key. `evolve` changes the zero-initialised state in place; texts and lists it takes from
 * the event by pointer are copied afterwards. */
struct sl_aggregate {
    const char *name;
    const struct sl_record *record;
    void (*evolve)(void *state, const struct sl_event *event);
    uint32_t version; /* raise it when `evolve` changes meaning: states kept before are dropped */
};

enum sl_verdict {
    SL_ACCEPTED = 0,
    SL_REFUSED = 1,
};

/* Who asks. */
struct sl_principal {
    struct sl_text name;
    struct sl_text roles; /* words separated by spaces */
};

/* What a decision is made from. All of it is borrowed for the call. */
struct sl_case {
    const void *command;      /* a struct of the command's record */
    const void *const *state; /* one per need, in their order; zeroed where nothing happened yet */
    size_t state_count;
    struct sl_time now;
    struct sl_uuid id; /* the command's */
    const struct sl_principal *principal;
};

struct sl_decision;
struct sl_needs;

/* Adds an event to the stream of the aggregate at c->state[need] and returns its zeroed body, a
 * struct of type->record, to be filled before `decide` returns. Texts and lists may point into the
 * command, the states or memory of sl_room. At most 8,190 events a command. */
void *sl_emit(struct sl_decision *out, const struct sl_event_type *type, size_t need);

/* Refuses: `rule` is a lower_case name that clients match on, `message` a sentence for people, in
 * which {field} stands for the command's field. Both are literals. Returns SL_REFUSED. */
enum sl_verdict sl_refuse(struct sl_decision *out, const char *rule, const char *message);

/* Likewise, and says which item of a list field of the command is to blame, from 0; clients are
 * told "lines[3]". `field` is a literal, too. */
enum sl_verdict sl_refuse_item(struct sl_decision *out, const char *rule, const char *message,
                               const char *field, size_t item);

/* Zeroed memory that lives until the events were taken: for lists that an event carries. At most 16
 * MiB a call. */
void *sl_room(struct sl_decision *out, size_t count, size_t size);

/* Names one more aggregate that the decision needs, by its fields' values in the key's order: it
 * becomes the next c->state[]. Returns its place there. */
size_t sl_need_key(struct sl_needs *out, const struct sl_aggregate *aggregate, struct sl_text key);

/* Zeroed memory that lives until the command is answered, to make keys of. NULL: there is none; the
 * command is then answered with 503. */
void *sl_needs_room(struct sl_needs *out, size_t count, size_t size);

/* The key for sl_need_key made of one value. `kind` as in records: sl_key_of(out, SL_UUID, &id). */
struct sl_text sl_key_of(struct sl_needs *out, enum sl_kind kind, const void *value);

/* An aggregate that a command needs, keyed by fields of the command; "": the only one that there
 * is, whose stream is "book/". */
struct sl_need {
    const struct sl_aggregate *aggregate;
    const char *key;
};

enum sl_ids {
    SL_BY_ENGINE = 0, /* one id, one outcome, for the configured window (24 h) */
    SL_BY_DOMAIN,     /* the domain judges repeats itself, for ever; refusals may emit events */
};

struct sl_command {
    const char *name; /* CamelCase, imperative, at most 64 bytes */
    const struct sl_record *record;
    enum sl_verdict (*decide)(const struct sl_case *c, struct sl_decision *out);
    struct sl_need_list {
        const struct sl_need *items;
        size_t count;
    } needs;
    /* Needs that follow from the command's lists or from states already loaded; called again, at
     * most four rounds, until it names nothing new. Each call sees the states so far; one that
     * sees none may come long before the command's turn. At most 32,768 in all, of which 64 in the
     * table; each takes the engine about a microsecond. */
    void (*more)(const struct sl_case *c, struct sl_needs *out);
    enum sl_ids ids;
    const char *roles; /* who may: words, one of which the principal must have; NULL: anybody */
    bool internal;     /* only processes may send it */
    const char *help;
};

/* ---- The read side ------------------------------------------------------------------------ */

struct sl_rows;

/* A new or replaced row: zeroed, a struct of the view's record, to be filled, key included. */
void *sl_row_put(struct sl_rows *rows);

/* The row with this key, to be changed in place (all but its key); NULL where there is none.
 * Keys are pointers to values of the key's fields, in order: sl_row_edit(rows, &desk, &day). */
#define sl_row_edit(rows, ...)                                  \
    sl_row_edit_key((rows), (const void *const[]){__VA_ARGS__}, \
                    sizeof((const void *const[]){__VA_ARGS__}) / sizeof(void *))

/* Removes the row with this key; nothing happens where there is none. */
#define sl_row_delete(rows, ...)                                  \
    sl_row_delete_key((rows), (const void *const[]){__VA_ARGS__}, \
                      sizeof((const void *const[]){__VA_ARGS__}) / sizeof(void *))

void *sl_row_edit_key(struct sl_rows *rows, const void *const *values, size_t count);
void sl_row_delete_key(struct sl_rows *rows, const void *const *values, size_t count);

/* Gives up on this event: nothing of it is applied, the view is degraded at its position and says
 * so. `why` is a literal. */
void sl_rows_fail(struct sl_rows *rows, const char *why);

/* An order in which the view can be listed, and filtered by its leading fields. */
struct sl_index {
    const char *name;
    const char *fields;
};

struct sl_view {
    const char *name; /* lower-case */
    const struct sl_record *record;
    const char *key;
    /* Called once per event, in order; may be called again for an event of which nothing was
     * applied, when a row it asked for had to be fetched first. */
    void (*project)(const struct sl_event *event, struct sl_rows *rows);
    struct sl_index_list {
        const struct sl_index *items;
        size_t count;
    } indexes;
    const char *search; /* text fields for full-text search, or NULL */
    /* Where on the earth a row is, "lat, lon": the names of its latitude and longitude, doubles or
     * decimals in degrees; it can then be asked for what is nearest. NULL: nowhere. A row is left
     * out of such answers while one of the two is absent, or beyond 90 or 180 degrees. */
    const char *near;
    bool strong;       /* replies to commands wait until this view has applied them */
    bool temporal;     /* rows are kept as they were, too, for ever: GET …/{key}?at= */
    uint32_t version;  /* raise it when `project` changes meaning: the view is rebuilt */
    const char *roles; /* who may read; NULL: anybody */
    const char *help;
};

/* ---- Processes ---------------------------------------------------------------------------- */

struct sl_reaction;

/* A process manager: one instance per key, with a state of its own, that reacts to events by
 * sending commands and setting timers. `key` is a place in the events' fields; events whose record
 * lacks one of these fields, or where all of them are empty, do not concern it.
 *
 * Every event that concerns an instance is handed to `react` once, in order; commands carry ids
 * derived from the event, so that they are carried out once however often they are sent. A timer
 * that fell due and a command that was refused come back as events (see below). */
struct sl_process {
    const char *name;
    const char *key;
    const struct sl_record *record; /* of the state */
    void (*react)(const struct sl_event *event, void *state, struct sl_reaction *out);
};

/* Sends a command of this or another domain: returns its zeroed body, a struct of the command's
 * record, to be filled before `react` returns. What it takes by pointer is copied. */
void *sl_send(struct sl_reaction *out, const char *domain, const char *command);

/* Sets the timer of this name for the instance, replacing an earlier one; once it is due it comes
 * back as an event, never early, also after a restart. `name` is a literal. */
void sl_timer_set(struct sl_reaction *out, const char *name, struct sl_time due);
void sl_timer_clear(struct sl_reaction *out, const char *name);

/* Is this event the timer of that name falling due for the instance? */
bool sl_timer_fired(const struct sl_event *event, const char *name);

/* Is this event the refusal of a command that the instance sent? `out_rule` may be NULL. */
bool sl_command_refused(const struct sl_event *event, const char *command,
                        struct sl_text *out_rule);

struct sl_route;

/* ---- Words on the command line -------------------------------------------------------------- */

struct sl_client;

/* `sluice DOMAIN VERB …`. Runs in a program of its own and speaks to the server through `client`
 * (see client.h). Returns the exit code. */
struct sl_verb {
    const char *name;
    const char *arguments; /* "FILE [--from N]" */
    const char *help;
    int (*run)(struct sl_client *client, int argc, char **argv);
};

/* ---- The domain --------------------------------------------------------------------------- */

#define SL_DOMAIN_ABI 1u

struct sl_domain {
    uint32_t abi; /* 0 or SL_DOMAIN_ABI */
    const char *name;
    const char *title; /* for people; NULL: the name */
    struct sl_command_list {
        const struct sl_command *items;
        size_t count;
    } commands;
    struct sl_event_type_list {
        const struct sl_event_type *const *items;
        size_t count;
    } events;
    struct sl_view_list {
        const struct sl_view *items;
        size_t count;
    } views;
    struct sl_process_list {
        const struct sl_process *items;
        size_t count;
    } processes;
    struct sl_verb_list {
        const struct sl_verb *items;
        size_t count;
    } verbs;
    struct sl_route_list {
        const struct sl_route *items; /* see route.h */
        size_t count;
    } routes;
};

/* A domain built as a shared object exports this symbol. */
#define SL_EXPORT_DOMAIN(domain)                                                              \
    extern const struct sl_domain *const sl_exported_domain;                                  \
    __attribute__((visibility("default"))) const struct sl_domain *const sl_exported_domain = \
        &(domain)

/* ---- Specifications ------------------------------------------------------------------------- */

/* Given these events, when this command, then these events or this refusal. Values are written as
 * in JSON with bare names and single quotes allowed; a bare word for a UUID stands for one UUID
 * made from the word. Several events are separated by new lines. `given` says the stream of each:
 * "desk-day/A4,2026-11-23: DeskBooked {…}"; `then` may. */
struct sl_spec {
    const char *name;
    const char *now; /* a day or an instant */
    const char *given;
    const char *when;
    const char *then;
    const char *refused; /* the rule; "rule at lines[3]" where an item is to blame */
};

struct sl_spec_list {
    const struct sl_spec *items;
    size_t count;
};

/* A domain built as a shared object exports its specifications, too: `sluice check FILE.so` runs
 * them. */
#define SL_EXPORT_SPECS(specs)                          \
    extern const struct sl_spec_list sl_exported_specs; \
    __attribute__((visibility("default")))              \
    const struct sl_spec_list sl_exported_specs = {(specs), sizeof(specs) / sizeof((specs)[0])}

#endif
