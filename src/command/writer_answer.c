/*
 * Answers: what leaves once a batch is durable. A repeat that made events names them again, read
 * from the log.
 */
#include <stdlib.h>
#include <string.h>

#include "command/writer_parts.h"

static struct sl_text text_of(const char *string)
{
    return string ? (struct sl_text){string, strlen(string)} : (struct sl_text){0};
}

/* Room for `count` events in an answer; false: no memory, the answer goes without them. */
static bool make_room(struct sl_writer *writer, size_t count)
{
    if (count <= writer->made_capacity)
        return true;
    struct sl_event_made *made = realloc(writer->made, count * sizeof *made);
    if (!made)
        return false;
    writer->made = made;
    writer->made_capacity = count;
    return true;
}

static void made_of(struct sl_event_made *made, const struct sl_stored_event *events, size_t count,
                    bool wants_stored)
{
    for (size_t i = 0; i < count; i++)
        made[i] = (struct sl_event_made){.type = events[i].schema->name,
                                         .stream = events[i].stream,
                                         .revision = events[i].revision,
                                         .position = events[i].position,
                                         .time = events[i].time,
                                         .stored = wants_stored ? &events[i] : NULL};
}

static void leave(struct sl_writer *writer, struct sl_work *work,
                  const struct sl_stored_event *events, size_t count)
{
    struct sl_submission *submission = work->submission;

    if (!make_room(writer, count))
        count = 0;
    made_of(writer->made, events, count, submission->wants_stored);
    const struct sl_outcome outcome = {.status = work->status,
                                       .rule = text_of(work->rule),
                                       .message = text_of(work->message),
                                       .field = text_of(work->field),
                                       .id = submission->id,
                                       .repeated = work->repeated,
                                       .position = work->position,
                                       .events = writer->made,
                                       .event_count = count};
    if (work->repeated)
        writer->numbers.repeated++;
    else if (work->status == 201)
        writer->numbers.accepted++;
    else if (work->status == 503)
        writer->numbers.failed++;
    else
        writer->numbers.refused++;
    sl_histogram_add(&writer->numbers.command,
                     sl_env_monotonic(writer->options.env) - work->submitted_ns);
    /* First the needs go free, so that the callee may submit again at once. */
    sl_writer_release(writer, work);
    writer->options.answer(writer->options.context, submission, &outcome);
}

void sl_writer_answer_failed(struct sl_writer *writer, struct sl_work *work, const char *rule,
                             const char *message)
{
    work->status = 503;
    work->rule = rule;
    work->message = message;
    work->field = NULL;
    work->repeated = false;
    work->position = writer->log.durable;
    leave(writer, work, NULL, 0);
}

static void start_recall(struct sl_writer *writer, struct sl_work *work)
{
    struct sl_recall *recall = calloc(1, sizeof *recall);

    if (!recall) {
        leave(writer, work, NULL, 0);
        return;
    }
    recall->writer = writer;
    recall->work = work;
    recall->read = (struct sl_read){.message = {.reply_to = writer->options.mailbox,
                                                .kind = SL_WRITER_RECALLED},
                                    .by = SL_READ_POSITION,
                                    .from = work->position - work->event_count,
                                    .until = work->position,
                                    .count_max = work->event_count,
                                    .bytes_max = SL_STORE_BATCH_BYTES_MAX};
    recall->others = writer->recalls;
    recall->link = &writer->recalls;
    if (recall->others)
        recall->others->link = &recall->others;
    writer->recalls = recall;
    writer->loads_out++;
    sl_event_store_read(writer->options.store, &recall->read);
}

void sl_writer_end_recall(struct sl_recall *recall)
{
    *recall->link = recall->others;
    if (recall->others)
        recall->others->link = recall->link;
    sl_arena_close(&recall->read.arena);
    free(recall);
}

void sl_writer_recalled(struct sl_recall *recall)
{
    struct sl_writer *writer = recall->writer;

    writer->loads_out--;
    /* Events that cannot be read just now do not unmake the outcome: it is told without them. */
    leave(writer, recall->work, recall->read.events,
          recall->read.err ? 0 : recall->read.event_count);
    sl_writer_end_recall(recall);
}

void sl_writer_answer_batch(struct sl_writer *writer, struct sl_batch *batch)
{
    struct sl_work *work = batch->works;

    batch->works = NULL;
    batch->works_end = &batch->works;
    while (work) {
        struct sl_work *next = work->next;
        if (work->recall)
            start_recall(writer, work);
        else
            leave(writer, work, batch->stored + work->first_event,
                  work->repeated ? 0 : work->event_count);
        work = next;
    }
}
