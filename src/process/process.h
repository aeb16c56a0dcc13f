/*
 * Process managers: sinks that react to events by sending commands and setting timers.
 *
 * A process's instances are rows of an internal view, so that state, timers and checkpoint move
 * together (V1) and come back after a restart. An event is taken in two steps: `react` is run to
 * see which commands it sends; they are carried out, under ids derived from the event; then, when
 * their outcomes are durable, the row changes and the position moves on. A crash between the two
 * sends the same commands with the same ids again, which changes nothing (V3).
 *
 * Time and refusals enter as events of the log ($TimerFired, $RefusalTold), so that an instance's
 * state is a function of the log alone (C2). How far commands were carried out is an event, too
 * ($ProcessAdvanced): a lost checkpoint sends nothing twice.
 *
 * Engine's thread.
 */
#ifndef SL_PROCESS_PROCESS_H
#define SL_PROCESS_PROCESS_H

#include "base/env.h"
#include "command/submission.h"
#include "contracts/event_store.h"
#include "model/model.h"
#include "view/view.h"

#define SL_PROCESS_MESSAGE_FIRST 0x1030u
#define SL_PROCESS_MESSAGE_LAST 0x103fu

struct sl_process_runner;

/* What the process needs of the engine around it. */
struct sl_process_host {
    /* The domain of that name, or NULL. */
    void *(*find)(void *context, const char *domain);
    const struct sl_command *(*command)(void *domain, const char *name);
    void (*submit)(void *domain, struct sl_submission *submission);
    /* Identity, reign and history of the process's own log. */
    void (*log)(void *context, struct sl_uuid *log, uint64_t *salt);
    bool (*knows)(void *context, uint64_t salt, uint64_t position);
    /* The salt of the reign in which a position lies. */
    uint64_t (*salt_at)(void *context, uint64_t position);
    void *context;
    void *own; /* the process's own domain */
};

struct sl_process_options {
    struct sl_env *env;
    struct sl_mailbox *mailbox;
    const struct sl_process *process;
    const struct sl_model *model;
    struct sl_event_store *store;
    struct sl_view_service *views;
    struct sl_process_host host;
};

/* Gives a domain's model the engine's own commands that processes write events with. Once, before
 * the model is used. */
enum sl_err sl_process_prepare(struct sl_model *model, struct sl_error *error) SL_USE_RESULT;

/* Checks and compiles the process. SL_INVALID names what contradicts itself. */
enum sl_err sl_process_open(const struct sl_process_options *options,
                            struct sl_process_runner **out, struct sl_error *error) SL_USE_RESULT;

/* The log's first reign has begun: attach the instances, look how far commands were carried out. */
enum sl_err sl_process_reigns(struct sl_process_runner *runner,
                              struct sl_error *error) SL_USE_RESULT;
void sl_process_reign_again(struct sl_process_runner *runner);

/* See consumer.h. */
void sl_process_follow(struct sl_process_runner *runner, uint64_t durable);
void sl_process_offer(struct sl_process_runner *runner, const struct sl_event *events,
                      size_t count);

void sl_process_step(struct sl_message *message);

/* Fires what is due, sends again what has to be; returns the next deadline (monotonic ns). */
int64_t sl_process_turn(struct sl_process_runner *runner, int64_t now);

/* No new command leaves; those under way come back as usual. */
void sl_process_stop(struct sl_process_runner *runner);

/* Adds to the numbers of commands under way and timers that are set. */
void sl_process_count(const struct sl_process_runner *runner, uint64_t *waiting, uint64_t *timers);

/* ---- Standing still ------------------------------------------------------------------------ */

enum sl_process_state {
    SL_PROCESS_STARTING = 1,
    SL_PROCESS_RUNNING,
    SL_PROCESS_WAITING,  /* a command of the event was not taken; it is sent again every second */
    SL_PROCESS_DEGRADED, /* its reaction to the event failed, or the event cannot be read */
    SL_PROCESS_FAILED,   /* the store of its instances failed; that is tried again by itself */
};

struct sl_process_status {
    enum sl_process_state state;
    bool stuck;        /* degraded, failed, or a command was not taken three times: somebody should
                          look */
    uint64_t position; /* of the event at which it is; all below are done with */
    uint64_t commands; /* under way */
    uint64_t timers;
    /* Where it stands still (WAITING, DEGRADED); borrowed until the engine's next turn: */
    struct sl_time since;
    uint64_t tries;
    struct sl_text key;     /* the instance; empty where the event could not be read */
    struct sl_text command; /* that was not taken; empty where the reaction failed */
    struct sl_text why;     /* also when FAILED */
};
struct sl_process_status sl_process_status(const struct sl_process_runner *runner);
const char *sl_process_name(const struct sl_process_runner *runner);

/* Tries at once: the reaction, or the commands that were not taken. False: it stands nowhere. */
bool sl_process_retry(struct sl_process_runner *runner);

/* The event at this position is done with, though its reaction failed (then the instance does not
 * see it), or its commands were not all taken (then the instance is as if they had been, and they
 * are not sent again). To be called when the log says both that it was skipped and how far the
 * process has advanced. Does nothing where the process stands elsewhere. */
void sl_process_skip(struct sl_process_runner *runner, uint64_t position);

/* The streams of $ProcessAdvanced, by the process's name. */
extern const struct sl_aggregate sl_process_progress;

/* The instances, as rows: for the console. */
struct sl_view_table *sl_process_table(const struct sl_process_runner *runner);

void sl_process_close(struct sl_process_runner *runner); /* NULL is allowed */

#endif
