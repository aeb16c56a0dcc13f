/* What the files of the process room share. Nobody else includes this. */
#ifndef SL_PROCESS_PARTS_H
#define SL_PROCESS_PARTS_H

#include "base/heap.h"
#include "consumer/consumer.h"
#include "process/process.h"
#include "record/json.h"

#define SL_PROCESS_PROGRESS_STREAM "$progress"
#define SL_TIMER_NEVER INT64_C(9000000000000000000)

extern const struct sl_command *const sl_fire_timer;
extern const struct sl_command *const sl_tell_refusal;
extern const struct sl_command *const sl_advance;

enum sl_process_message {
    SL_PROCESS_PROGRESS_READ = SL_PROCESS_MESSAGE_FIRST,
    SL_PROCESS_SKIPS_READ,
};

/* A timer that an instance has set, as it stands in its row. */
struct sl_row_timer {
    struct sl_text name;
    struct sl_time due;
    uint64_t set_at;
};

/* An instance's row. Its state follows, at runner->state_offset. */
struct sl_instance {
    struct sl_text key;
    struct sl_time next_due; /* of the earliest timer; SL_TIMER_NEVER */
    struct sl_list timers;
};

/* What `react` asked for. */
struct sl_wish {
    const char *domain_name; /* a command */
    void *domain;
    const struct sl_command *command;
    void *body;
    const char *timer; /* or a timer */
    bool clear;
    struct sl_time due;
};

#define SL_WISHES_MAX 64

struct sl_reaction {
    struct sl_process_runner *runner;
    struct sl_arena arena;
    struct sl_wish wishes[SL_WISHES_MAX];
    size_t count;
    size_t sends;
    const char *failed; /* why nothing of it is done */
};

/* A command on its way; also those by which timers fire and refusals are told. */
struct sl_send_call {
    struct sl_submission submission;
    struct sl_process_runner *runner;
    void *domain;
    const char *domain_name; /* NULL: one of the engine's own commands */
    struct sl_send_call *next; /* of those to be sent again */
    uint64_t position;         /* of the event that caused it; UINT64_MAX: of none */
    struct sl_uuid id;
    char key[512];
    size_t key_len;
    bool holds; /* its event waits for it */
    _Alignas(16) uint8_t body[];
};

/* A timer in the order of time. */
struct sl_timer_node {
    struct sl_deadline deadline; /* first: the heap's node; UTC */
    struct sl_time due;
    uint64_t set_at;
    size_t name_len;
    size_t key_len;
    char texts[]; /* name, key */
};

struct sl_key_rule {
    const struct sl_event_type *type;
    struct sl_place place;
};

/* Where the process stands still, and why. */
struct sl_trouble {
    bool is;
    uint64_t position;
    struct sl_time since;
    uint64_t tries;
    char why[240];
    char command[160]; /* "domain.Command" that was not taken; empty: the reaction failed */
    char key[512];
    size_t key_len;
};

struct sl_process_runner {
    struct sl_process_options options;
    struct sl_field fields[4];
    struct sl_record record; /* of a row */
    char name[SL_PRINCIPAL_BYTES_MAX + 1];
    struct sl_principal principal; /* of what it sends: "process/NAME" */
    struct sl_view view;
    size_t state_offset;
    struct sl_view_table *table;
    struct sl_key_rule *rules;
    size_t rule_count;
    struct sl_consumer consumer;
    struct sl_reaction reaction;
    struct sl_buf key;     /* of the event at hand */
    struct sl_buf row_key; /* an instance's key as its row's place */

    struct sl_progress_call {
        struct sl_read read;
        struct sl_process_runner *runner;
    } progress;
    bool progress_under_way;
    struct sl_process_recall {
        struct sl_read read; /* first: it is the message */
        struct sl_process_runner *runner;
        uint64_t position; /* of the event about which it asks */
        bool asked;        /* the log has said all it knows of that position */
        bool under_way;
    } recall;
    struct sl_trouble trouble;
    bool started; /* `reached` is known */
    bool moved;
    int64_t look_ns; /* when to try again what memory or the store did not allow; INT64_MAX */
    bool closing;

    bool sending;           /* the event at `sent_position` waits for its commands */
    bool sent;              /* they have been carried out */
    uint64_t sent_position;
    size_t holding;         /* calls that it waits for */
    bool given_up;          /* those that are not taken are not sent again */
    size_t calls_out;
    struct sl_send_call *again; /* to be sent again at again_ns */
    int64_t again_ns;
    uint64_t reached;     /* commands for all events below were carried out */
    int64_t advance_ns;   /* when to say so in the log; INT64_MAX: nothing new */
    bool advancing;

    struct sl_heap timers;
    size_t firing; /* $FireTimer commands under way */
    struct sl_view_listing timer_list;
    struct sl_record list_record; /* as `record`, without its rules: what is stored is believed */
    struct sl_arena list_arena;
    uint32_t list_limit;
    int64_t list_ns;        /* when to list again what could not be listed; INT64_MAX */
    uint64_t list_position; /* what is listed must reflect all below */
    bool listing_timers;
    bool timers_listed;     /* all that are set are in the heap */
    char timer_cursor[2048];
};

/* process.c: the place of an instance's row; borrowed until the next call */
struct sl_text sl_process_row_key(struct sl_process_runner *runner, struct sl_text key);

/* send.c */
/* False: memory is out, nothing was sent. */
bool sl_process_send_all(struct sl_process_runner *runner, const struct sl_event *event);
bool sl_process_send(struct sl_process_runner *runner, void *domain,
                     const struct sl_command *command, const void *body, struct sl_uuid id,
                     struct sl_text key, uint64_t position, bool holds);
void sl_process_send_again(struct sl_process_runner *runner, int64_t now);
void sl_process_drop_calls(struct sl_process_runner *runner);
struct sl_uuid sl_process_id(const struct sl_process_runner *runner, uint64_t position,
                             struct sl_text key, const char *what, uint64_t ordinal);

/* Ends those of the event at hand that were not taken, and takes back no others. */
void sl_process_give_up(struct sl_process_runner *runner);

/* trouble.c */
/* The event at this position is not done with: `command` (NULL: the reaction) is why. */
void sl_process_note_trouble(struct sl_process_runner *runner, uint64_t position,
                             struct sl_text key, const struct sl_send_call *call,
                             struct sl_text why);
/* Degraded, it may have been told before to skip its event: asks the log, once. */
void sl_process_recall_skips(struct sl_process_runner *runner);
void sl_process_recall_step(struct sl_message *message);

/* timers.c */
void sl_process_apply_timers(struct sl_process_runner *runner, const struct sl_event *event,
                             struct sl_instance *instance);
bool sl_process_take_timer(struct sl_process_runner *runner, struct sl_instance *instance,
                           const struct sl_timer_fired *fired);
void sl_process_note_timers(struct sl_process_runner *runner, uint64_t set_at, struct sl_text key);
enum sl_err sl_process_relax_rows(struct sl_process_runner *runner);
/* Lists them when that is due; returns when it will be. */
int64_t sl_process_list_timers(struct sl_process_runner *runner, int64_t now);
int64_t sl_process_fire_due(struct sl_process_runner *runner, int64_t now);
void sl_process_drop_timers(struct sl_process_runner *runner);

#endif
