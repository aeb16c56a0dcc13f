/*
 * Orders: somebody orders some of several items, which reserves stock. The process `payment` has
 * the order authorised; an order that is not shipped before its time is over is cancelled, as is
 * one whose payment is declined. Cancelling gives the stock back.
 */
#include "tests/domains/order.h"

__extension__ typedef __int128 wide;

enum { AUTHORIZED_MAX = 100000, DISCOUNT_MAX = 50 };

/* ---- Commands and events --------------------------------------------------------------------- */

enum channel { CHANNEL_WEB, CHANNEL_SHOP, CHANNEL_PHONE };
#define CHANNELS SL_NAMES("web", "shop", "phone")

enum reason { REASON_WISH, REASON_DECLINED, REASON_EXPIRED };
#define REASONS SL_NAMES("wish", "declined", "expired")

struct line {
    struct sl_text item;
    int64_t quantity;
    struct sl_money price;
};

static const struct sl_record line_record = SL_RECORD(struct line,
    SL_FIELD(struct line, item, .required = true, .length_max = 32),
    SL_FIELD(struct line, quantity, .required = true, SL_RANGE(1, 1000)),
    SL_FIELD(struct line, price, .required = true));

struct order {
    struct sl_uuid id;
    sl_u128 reference; /* the payment provider's */
    struct sl_text customer;
    enum channel channel;
    bool has_note;
    struct sl_text note;
    struct sl_decimal discount; /* per cent */
    struct sl_list lines;
    uint32_t ship_within_s;
    struct sl_money total; /* what the lines cost, less the discount; a command does not say it */
};

static const struct sl_record order_record = SL_RECORD(struct order,
    SL_FIELD(struct order, id, .required = true),
    SL_FIELD(struct order, reference),
    SL_FIELD(struct order, customer, .required = true, .length_max = 80),
    SL_FIELD(struct order, channel, CHANNELS),
    SL_FIELD(struct order, note, SL_HAS(struct order, has_note), .length_max = 200),
    SL_FIELD(struct order, discount),
    SL_FIELD(struct order, lines, .required = true, .record = &line_record, .length_max = 20),
    SL_FIELD(struct order, ship_within_s, .required = true, SL_RANGE(1, 31536000)),
    SL_FIELD(struct order, total));

struct amount {
    struct sl_uuid id;
    struct sl_money amount;
};

static const struct sl_record amount_record = SL_RECORD(struct amount,
    SL_FIELD(struct amount, id, .required = true),
    SL_FIELD(struct amount, amount, .required = true));

struct shipping {
    struct sl_uuid id;
};

static const struct sl_record shipping_record =
    SL_RECORD(struct shipping, SL_FIELD(struct shipping, id, .required = true));

struct cancelling {
    struct sl_uuid id;
    enum reason reason;
};

static const struct sl_record cancelling_record = SL_RECORD(struct cancelling,
    SL_FIELD(struct cancelling, id, .required = true),
    SL_FIELD(struct cancelling, reason, REASONS));

struct stocking {
    struct sl_text item;
    int64_t quantity;
};

static const struct sl_record stocking_record = SL_RECORD(struct stocking,
    SL_FIELD(struct stocking, item, .required = true, .length_max = 32),
    SL_FIELD(struct stocking, quantity, .required = true, SL_RANGE(1, 1000000)));

/* Its order's id is called `by`, so that it does not concern the process, whose key is `id`. */
struct reserving {
    struct sl_text item;
    int64_t quantity;
    struct sl_uuid by;
};

static const struct sl_record reserving_record = SL_RECORD(struct reserving,
    SL_FIELD(struct reserving, item, .required = true),
    SL_FIELD(struct reserving, quantity, .required = true),
    SL_FIELD(struct reserving, by, .required = true));

static const struct sl_event_type order_placed = { "OrderPlaced", 1, &order_record };
static const struct sl_event_type order_authorized = { "OrderAuthorized", 1, &amount_record };
static const struct sl_event_type order_shipped = { "OrderShipped", 1, &shipping_record };
static const struct sl_event_type order_cancelled = { "OrderCancelled", 1, &cancelling_record };
static const struct sl_event_type stock_added = { "StockAdded", 1, &stocking_record };
static const struct sl_event_type stock_reserved = { "StockReserved", 1, &reserving_record };
static const struct sl_event_type stock_released = { "StockReleased", 1, &reserving_record };
static const struct sl_event_type stock_shipped = { "StockShipped", 1, &reserving_record };

/* ---- States ---------------------------------------------------------------------------------- */

enum status { STATUS_NONE, STATUS_PLACED, STATUS_AUTHORIZED, STATUS_SHIPPED, STATUS_CANCELLED };
#define STATUSES SL_NAMES("none", "placed", "authorized", "shipped", "cancelled")

struct order_state {
    enum status status;
    struct sl_list lines;
};

static const struct sl_record order_state_record = SL_RECORD(struct order_state,
    SL_FIELD(struct order_state, status, STATUSES),
    SL_FIELD(struct order_state, lines, .record = &line_record));

static enum status status_after(const struct sl_event *event)
{
    return event->type == &order_placed       ? STATUS_PLACED
           : event->type == &order_authorized ? STATUS_AUTHORIZED
           : event->type == &order_shipped    ? STATUS_SHIPPED
                                              : STATUS_CANCELLED;
}

static void evolve_order(void *state, const struct sl_event *event)
{
    struct order_state *order = state;

    order->status = status_after(event);
    if (event->type == &order_placed)
        order->lines = ((const struct order *)event->body)->lines;
}

/* Of one item: a state, and as it is in the view, too. */
struct stock {
    struct sl_text item;
    int64_t on_hand;
    int64_t reserved;
};

static const struct sl_record stock_record = SL_RECORD(struct stock,
    SL_FIELD(struct stock, item),
    SL_FIELD(struct stock, on_hand),
    SL_FIELD(struct stock, reserved));

static void evolve_stock(void *state, const struct sl_event *event)
{
    struct stock *stock = state;
    const struct reserving *reserving = event->body;

    if (event->type == &stock_added) {
        const struct stocking *added = event->body;
        stock->item = added->item;
        stock->on_hand += added->quantity;
        return;
    }
    stock->reserved += event->type == &stock_reserved ? reserving->quantity : -reserving->quantity;
    if (event->type == &stock_shipped)
        stock->on_hand -= reserving->quantity;
}

static const struct sl_aggregate orders = { "order", &order_state_record, evolve_order };
static const struct sl_aggregate stocks = { "stock", &stock_record, evolve_stock };

/* ---- Deciding -------------------------------------------------------------------------------- */

/* The stock of line i is at c->state[1 + i], as no item stands in two lines. */
static void need_stocks(const struct sl_list *list, struct sl_needs *out)
{
    const struct line *lines = list->items;

    for (size_t i = 0; i < list->count; i++)
        sl_need_key(out, &stocks, sl_key_of(out, SL_TEXT_KIND, &lines[i].item));
}

static void more_for_command(const struct sl_case *c, struct sl_needs *out)
{
    need_stocks(&((const struct order *)c->command)->lines, out);
}

static void more_for_state(const struct sl_case *c, struct sl_needs *out)
{
    need_stocks(&((const struct order_state *)c->state[0])->lines, out);
}

static void emit_stocks(struct sl_decision *out, const struct sl_event_type *type,
                        const struct sl_list *list, struct sl_uuid by)
{
    const struct line *lines = list->items;

    for (size_t i = 0; i < list->count; i++) {
        struct reserving *event = sl_emit(out, type, 1 + i);
        *event = (struct reserving){lines[i].item, lines[i].quantity, by};
    }
}

static bool has_item_twice(const struct sl_list *list)
{
    const struct line *lines = list->items;

    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < i; k++)
            if (sl_text_equals(lines[i].item, lines[k].item))
                return true;
    return false;
}

/* False where the lines' prices are negative, too high, or of several currencies. */
static bool add_up(const struct order *order, struct sl_money *out_total)
{
    const struct line *lines = order->lines.items;
    int64_t scale = 100;
    wide total = 0;

    for (size_t i = 0; i < order->lines.count; i++) {
        if (__builtin_memcmp(lines[i].price.currency, lines[0].price.currency, 4) != 0 ||
            lines[i].price.minor < 0 || lines[i].price.minor > INT64_C(1000000000000))
            return false;
        total += (wide)lines[i].price.minor * lines[i].quantity;
    }
    for (uint8_t i = 0; i < order->discount.scale && i < 16; i++)
        scale *= 10;
    total -= total * order->discount.unscaled / scale;
    *out_total = lines[0].price;
    out_total->minor = (int64_t)total;
    return true;
}

static bool discount_is_fair(struct sl_decimal discount)
{
    int64_t most = DISCOUNT_MAX;

    if (discount.scale > 15)
        return false;
    for (uint8_t i = 0; i < discount.scale; i++)
        most *= 10;
    return discount.unscaled >= 0 && discount.unscaled <= most;
}

static enum sl_verdict decide_place(const struct sl_case *c, struct sl_decision *out)
{
    const struct order *command = c->command;
    const struct order_state *order = c->state[0];
    const struct line *lines = command->lines.items;
    struct sl_money total;

    if (order->status != STATUS_NONE)
        return sl_refuse(out, "order_exists", "the order {id} has been placed");
    if (has_item_twice(&command->lines))
        return sl_refuse(out, "item_twice", "an item stands in one line only");
    if (!discount_is_fair(command->discount))
        return sl_refuse(out, "discount_unfair", "{discount} per cent lie not between 0 and 50");
    if (!add_up(command, &total))
        return sl_refuse(out, "prices_do_not_add_up", "prices are of one currency and not below 0");
    for (size_t i = 0; i < command->lines.count; i++) {
        const struct stock *stock = c->state[1 + i];
        if (stock->on_hand - stock->reserved < lines[i].quantity)
            return sl_refuse(out, "out_of_stock", "of some item there is too little");
    }
    struct order *event = sl_emit(out, &order_placed, 0);
    *event = *command;
    event->total = total;
    emit_stocks(out, &stock_reserved, &command->lines, command->id);
    return SL_ACCEPTED;
}

static enum sl_verdict decide_authorize(const struct sl_case *c, struct sl_decision *out)
{
    const struct amount *command = c->command;
    const struct order_state *order = c->state[0];

    if (order->status != STATUS_PLACED)
        return sl_refuse(out, "order_not_open", "the order {id} waits for no payment");
    if (command->amount.minor > AUTHORIZED_MAX)
        return sl_refuse(out, "over_limit", "{amount} is more than is authorised");
    struct amount *event = sl_emit(out, &order_authorized, 0);
    *event = *command;
    return SL_ACCEPTED;
}

static enum sl_verdict decide_ship(const struct sl_case *c, struct sl_decision *out)
{
    const struct shipping *command = c->command;
    const struct order_state *order = c->state[0];

    if (order->status != STATUS_AUTHORIZED)
        return sl_refuse(out, "order_not_authorized", "the order {id} is not authorised");
    struct shipping *event = sl_emit(out, &order_shipped, 0);
    *event = *command;
    emit_stocks(out, &stock_shipped, &order->lines, command->id);
    return SL_ACCEPTED;
}

static enum sl_verdict decide_cancel(const struct sl_case *c, struct sl_decision *out)
{
    const struct cancelling *command = c->command;
    const struct order_state *order = c->state[0];

    if (order->status != STATUS_PLACED && order->status != STATUS_AUTHORIZED)
        return sl_refuse(out, "order_not_open", "the order {id} is not open");
    struct cancelling *event = sl_emit(out, &order_cancelled, 0);
    *event = *command;
    emit_stocks(out, &stock_released, &order->lines, command->id);
    return SL_ACCEPTED;
}

static enum sl_verdict decide_add(const struct sl_case *c, struct sl_decision *out)
{
    struct stocking *event = sl_emit(out, &stock_added, 0);

    *event = *(const struct stocking *)c->command;
    return SL_ACCEPTED;
}

/* ---- The process ----------------------------------------------------------------------------- */

struct payment {
    struct sl_uuid id;
};

static const struct sl_record payment_record =
    SL_RECORD(struct payment, SL_FIELD(struct payment, id));

static void send_cancel(struct sl_reaction *out, struct sl_uuid id, enum reason reason)
{
    struct cancelling *command = sl_send(out, "order", "CancelOrder");

    *command = (struct cancelling){id, reason};
}

static void react_payment(const struct sl_event *event, void *state, struct sl_reaction *out)
{
    struct payment *payment = state;

    if (sl_timer_fired(event, "expiry")) {
        send_cancel(out, payment->id, REASON_EXPIRED);
    } else if (sl_command_refused(event, "Authorize", NULL)) {
        send_cancel(out, payment->id, REASON_DECLINED);
    } else if (event->type == &order_placed) {
        const struct order *order = event->body;
        struct amount *authorize = sl_send(out, "order", "Authorize");

        payment->id = order->id;
        *authorize = (struct amount){order->id, order->total};
        sl_timer_set(out, "expiry", sl_time_after(event->time, order->ship_within_s));
    } else if (event->type == &order_shipped || event->type == &order_cancelled) {
        sl_timer_clear(out, "expiry");
    }
}

/* ---- Views ----------------------------------------------------------------------------------- */

struct order_row {
    struct sl_uuid id;
    sl_u128 reference;
    struct sl_text customer;
    enum channel channel;
    enum status status;
    bool has_reason;
    enum reason reason;
    bool has_note;
    struct sl_text note;
    struct sl_decimal discount;
    struct sl_money total;
    struct sl_list lines;
};

static const struct sl_record order_row_record = SL_RECORD(struct order_row,
    SL_FIELD(struct order_row, id),
    SL_FIELD(struct order_row, reference),
    SL_FIELD(struct order_row, customer),
    SL_FIELD(struct order_row, channel, CHANNELS),
    SL_FIELD(struct order_row, status, STATUSES),
    SL_FIELD(struct order_row, reason, SL_HAS(struct order_row, has_reason), REASONS),
    SL_FIELD(struct order_row, note, SL_HAS(struct order_row, has_note)),
    SL_FIELD(struct order_row, discount),
    SL_FIELD(struct order_row, total),
    SL_FIELD(struct order_row, lines, .record = &line_record));

static void put_order(const struct order *order, struct sl_rows *rows)
{
    struct order_row *row = sl_row_put(rows);

    *row = (struct order_row){
        .id = order->id,
        .reference = order->reference,
        .customer = order->customer,
        .channel = order->channel,
        .status = STATUS_PLACED,
        .has_note = order->has_note,
        .note = order->note,
        .discount = order->discount,
        .total = order->total,
        .lines = order->lines,
    };
}

static void project_orders(const struct sl_event *event, struct sl_rows *rows)
{
    const struct sl_uuid *id = event->body; /* the first field of all that concern an order */

    if (event->type == &order_placed) {
        put_order(event->body, rows);
        return;
    }
    if (event->type != &order_authorized && event->type != &order_shipped &&
        event->type != &order_cancelled)
        return;
    struct order_row *row = sl_row_edit(rows, id);
    if (!row) {
        sl_rows_fail(rows, "something happened to an order that was not placed");
        return;
    }
    row->status = status_after(event);
    if (event->type == &order_cancelled) {
        row->has_reason = true;
        row->reason = ((const struct cancelling *)event->body)->reason;
    }
}

static void project_stock(const struct sl_event *event, struct sl_rows *rows)
{
    const struct sl_text *item = event->body; /* the first field of all that concern stock */

    if (event->type != &stock_added && event->type != &stock_reserved &&
        event->type != &stock_released && event->type != &stock_shipped)
        return;
    struct stock *row = sl_row_edit(rows, item);
    if (!row)
        row = sl_row_put(rows);
    row->item = *item;
    evolve_stock(row, event);
}

/* ---- The descriptor -------------------------------------------------------------------------- */

const struct sl_domain order_domain = {
    .name = "order",
    .title = "Orders",
    .commands = SL_LIST(const struct sl_command,
        { "AddStock", &stocking_record, decide_add,
          SL_LIST(const struct sl_need, { &stocks, "item" }) },
        { "PlaceOrder", &order_record, decide_place,
          SL_LIST(const struct sl_need, { &orders, "id" }), more_for_command },
        { "Authorize", &amount_record, decide_authorize,
          SL_LIST(const struct sl_need, { &orders, "id" }), .internal = true },
        { "ShipOrder", &shipping_record, decide_ship,
          SL_LIST(const struct sl_need, { &orders, "id" }), more_for_state },
        { "CancelOrder", &cancelling_record, decide_cancel,
          SL_LIST(const struct sl_need, { &orders, "id" }), more_for_state }),
    .events = SL_LIST(const struct sl_event_type *const, &order_placed, &order_authorized,
        &order_shipped, &order_cancelled, &stock_added, &stock_reserved, &stock_released,
        &stock_shipped),
    .views = SL_LIST(const struct sl_view,
        { "orders", &order_row_record, "id", project_orders,
          SL_LIST(const struct sl_index, { "by-status", "status, id" },
                                         { "by-customer", "customer, id" }) },
        { "stock", &stock_record, "item", project_stock }),
    .processes = SL_LIST(const struct sl_process,
        { "payment", "id", &payment_record, react_payment }),
};
