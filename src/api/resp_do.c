/* SLUICE.DO and SLUICE.WAIT: commands, and positions to wait for. */
#include "api/resp_parts.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES_MAX = 4 << 20 };

/* ---- SLUICE.DO domain.Command {json} [ID text] --------------------------------------------- */

struct doing {
    struct api_pending pending; /* first */
    struct resp_session *session;
    struct sl_resp_command *command;
    struct sl_core_domain *domain;
    struct sl_arena arena;
    struct sl_submission submission;
};

static void free_doing(struct api_pending *pending)
{
    struct doing *doing = (struct doing *)pending;

    sl_arena_close(&doing->arena);
    resp_release(doing->session);
    free(doing);
}

static const char *code_of(int status)
{
    switch (status) {
    case 409:
        return "CONFLICT";
    case 422:
        return "REFUSED";
    default:
        return "TRYAGAIN";
    }
}

static void done(struct sl_submission *submission, const struct sl_outcome *outcome)
{
    struct doing *doing = submission->user;
    struct sl_resp_command *command = doing->command;
    struct sl_api *api = doing->session->api;

    if (outcome->status == 201 || outcome->status == 202) {
        sl_buf_reset(&api->out);
        api_write_outcome(doing->domain, outcome, false, &api->out);
        sl_resp_bulk(command->out, sl_buf_as_text(&api->out));
    } else {
        if (outcome->status == 422)
            api_saw_rule(api, sl_core_domain_of(doing->domain), outcome->rule);
        resp_error(command->out, code_of(outcome->status), "%.*s %.*s%s%.*s",
                   (int)outcome->rule.len, outcome->rule.ptr, (int)outcome->field.len,
                   outcome->field.ptr, outcome->field.len > 0 ? ": " : "",
                   (int)outcome->message.len, outcome->message.ptr);
    }
    resp_saw_position(doing->session, doing->domain, outcome->position);
    sl_resp_finish(command);
    api_pending_remove(&doing->pending);
    free_doing(&doing->pending);
}

/* False: an error was written. */
static bool read_id(struct sl_api *api, const struct sl_resp_command *command, struct sl_uuid *out)
{
    if (command->word_count == 3) {
        *out = sl_env_uuid(api->options.env);
        return true;
    }
    const bool good = command->word_count == 5 && resp_is(command->words[3], "ID") &&
                      command->words[4].len > 0 && command->words[4].len <= API_ID_BYTES_MAX;
    if (good)
        *out = sl_command_id(command->words[4]);
    if (!good || sl_uuid_is_nil(*out)) {
        resp_error(command->out, "ERR", "SLUICE.DO domain.Command {json} [ID text]");
        return false;
    }
    return true;
}

/* Finds "domain.Command", and whether the session may send it. */
static const struct sl_command *find_command(struct resp_session *session, struct sl_text name,
                                             struct sl_core_domain **out_domain, struct sl_buf *out)
{
    const char *dot = memchr(name.ptr, '.', name.len);
    const size_t len = dot ? (size_t)(dot - name.ptr) : 0;
    struct sl_core_domain *domain =
        dot ? sl_core_find(session->api->options.core, (struct sl_text){name.ptr, len}) : NULL;
    const struct sl_command *command =
        domain ? sl_core_command(domain, (struct sl_text){dot + 1, name.len - len - 1}) : NULL;

    if (!command) {
        resp_error(out, "ERR", "there is no command %.*s; commands are named domain.Command",
                   (int)(name.len < 130 ? name.len : 130), name.ptr);
        return NULL;
    }
    const struct sl_deed deed = {SL_DO_COMMAND, sl_core_domain_of(domain)->name, command->name,
                                 command->roles, command->internal};
    *out_domain = domain;
    return resp_may(session, &deed, out) ? command : NULL;
}

static bool read_body(struct doing *doing, struct sl_text json, struct sl_buf *out)
{
    const struct sl_record *record = doing->submission.command->record;
    void *body = sl_arena_zeroed(&doing->arena, 1, record->size);
    struct sl_broken_rule broken;
    const enum sl_err err =
        body ? sl_json_read(doing->session->api->parser, record, json, &doing->arena, body, &broken)
             : SL_NO_MEMORY;

    doing->submission.body = body;
    if (err == SL_INVALID)
        resp_error(out, "INVALID", "%s %s", broken.rule, broken.message);
    else if (err != SL_OK)
        resp_error(out, "ERR", "the command does not fit into its memory");
    return err == SL_OK;
}

enum sl_resp_result resp_do(struct resp_session *session, struct sl_resp_command *command)
{
    struct sl_core_domain *domain = NULL;
    struct sl_uuid id;
    const struct sl_command *named =
        find_command(session, command->words[1], &domain, command->out);

    if (!named || !read_id(session->api, command, &id))
        return SL_RESP_DONE;
    struct doing *doing = calloc(1, sizeof *doing);
    if (!doing) {
        resp_error(command->out, "ERR", "no memory");
        return SL_RESP_DONE;
    }
    doing->session = session;
    doing->command = command;
    doing->domain = domain;
    doing->arena.bytes_max = ARENA_BYTES_MAX;
    doing->submission.command = named;
    doing->submission.id = id;
    doing->submission.principal = session->who;
    api_digest(domain, command->words[2], &doing->submission);
    doing->submission.done = done;
    doing->submission.user = doing;
    resp_hold(session);
    if (!read_body(doing, command->words[2], command->out)) {
        free_doing(&doing->pending);
        return SL_RESP_DONE;
    }
    api_pending_add(session->api, &doing->pending, free_doing);
    sl_core_submit(domain, &doing->submission);
    return SL_RESP_LATER;
}

/* ---- SLUICE.WAIT token [view] -------------------------------------------------------------- */

bool resp_can_reach(const struct sl_view_table *view, uint64_t wanted, struct sl_buf *out)
{
    if (wanted == 0)
        return true;
    const struct sl_view_status status = sl_view_table_status(view);
    if (status.state != SL_VIEW_DEGRADED || wanted <= status.position)
        return true;
    resp_error(out, "DEGRADED", "%s has applied all below %llu, and stands there: %s",
               sl_view_table_shape(view)->view->name, (unsigned long long)status.position,
               status.why);
    return false;
}

/* Without a view, all of the domain's are waited for, one after the other. */
struct waiting {
    struct api_pending pending; /* first */
    struct resp_session *session;
    struct sl_resp_command *command;
    struct sl_wait wait;
    size_t next_view; /* SIZE_MAX: this one was the only one */
};

static void free_waiting(struct api_pending *pending)
{
    struct waiting *waiting = (struct waiting *)pending;

    resp_release(waiting->session);
    free(waiting);
}

static void end_waiting(struct waiting *waiting)
{
    sl_resp_finish(waiting->command);
    api_pending_remove(&waiting->pending);
    free_waiting(&waiting->pending);
}

static void reached(struct sl_wait *wait, bool good, uint64_t at)
{
    struct waiting *waiting = wait->user;
    struct sl_core_domain *domain = wait->domain;

    if (!good) {
        if (resp_can_reach(wait->view, wait->position, waiting->command->out))
            resp_error(waiting->command->out, "TIMEOUT", "%s has applied all below %llu",
                       sl_view_table_shape(wait->view)->view->name, (unsigned long long)at);
        end_waiting(waiting);
        return;
    }
    if (waiting->next_view >= sl_core_view_count(domain)) {
        sl_resp_simple(waiting->command->out, "OK");
        end_waiting(waiting);
        return;
    }
    wait->view = sl_core_view_at(domain, waiting->next_view++);
    if (resp_can_reach(wait->view, wait->position, waiting->command->out))
        sl_core_wait(wait);
    else
        end_waiting(waiting);
}

/* The domain of a token, which begins with its name. */
static struct sl_core_domain *token_domain(struct sl_core *core, struct sl_text token)
{
    const char *colon = token.len ? memchr(token.ptr, ':', token.len) : NULL;

    return colon ? sl_core_find(core, (struct sl_text){token.ptr, (size_t)(colon - token.ptr)})
                 : NULL;
}

enum sl_resp_result resp_wait(struct resp_session *session, struct sl_resp_command *command)
{
    struct sl_api *api = session->api;
    struct sl_core_domain *domain = token_domain(api->options.core, command->words[1]);
    const struct sl_deed deed = {SL_DO_WATCH};
    struct sl_view_table *view = NULL;
    uint64_t position = 0;

    if (!resp_may(session, &deed, command->out))
        return SL_RESP_DONE;
    const enum sl_err err =
        domain ? sl_core_token_read(domain, command->words[1], &position) : SL_INVALID;
    if (err != SL_OK) {
        resp_error(command->out, err == SL_CONFLICT ? "CONFLICT" : "ERR",
                   err == SL_CONFLICT ? "the log does not have what this position speaks of"
                                      : "a position looks like domain:salt:number");
        return SL_RESP_DONE;
    }
    if (command->word_count == 3) {
        view = sl_core_view(domain, command->words[2]);
        if (!view) {
            resp_error(command->out, "ERR", "the domain has no such view");
            return SL_RESP_DONE;
        }
    } else if (sl_core_view_count(domain) == 0) {
        sl_resp_simple(command->out, "OK");
        return SL_RESP_DONE;
    }
    if (!resp_can_reach(view ? view : sl_core_view_at(domain, 0), position, command->out))
        return SL_RESP_DONE;
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting) {
        resp_error(command->out, "ERR", "no memory");
        return SL_RESP_DONE;
    }
    waiting->session = session;
    waiting->command = command;
    waiting->next_view = view ? SIZE_MAX : 1;
    waiting->wait.domain = domain;
    waiting->wait.view = view ? view : sl_core_view_at(domain, 0);
    waiting->wait.path = SL_PATH_LOOKUP;
    waiting->wait.position = position;
    waiting->wait.until_ns = sl_env_monotonic(api->options.env) + api->options.timeout_ms * 1000000;
    waiting->wait.done = reached;
    waiting->wait.user = waiting;
    resp_hold(session);
    api_pending_add(api, &waiting->pending, free_waiting);
    sl_core_wait(&waiting->wait);
    return SL_RESP_LATER;
}
