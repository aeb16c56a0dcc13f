/* The specification of orders. */
#include "tests/domains/order.h"

#define EUR(minor) "{minor: " #minor ", currency: EUR}"
#define BOOKS "stock/book: StockAdded {item: book, quantity: 3}"
#define PENS "stock/pen: StockAdded {item: pen, quantity: 10}"
#define LINES                                                                                      \
    "lines: [{item: book, quantity: 2, price: " EUR(1999) "}, "                                    \
    "{item: pen, quantity: 10, price: " EUR(150) "}]"
#define ORDER                                                                                      \
    "id: o1, reference: 340282366920938463463374607431768211455, customer: 'Ada L.', "             \
    "channel: phone, note: 'ring twice', discount: '2.50', ship_within_s: 60, " LINES
#define PLACED                                                                                     \
    "order/o1: OrderPlaced {" ORDER ", total: " EUR(5361) "}\n"                                    \
    "stock/book: StockReserved {item: book, quantity: 2, by: o1}\n"                                \
    "stock/pen: StockReserved {item: pen, quantity: 10, by: o1}\n"
#define AUTHORIZED "order/o1: OrderAuthorized {id: o1, amount: " EUR(5361) "}\n"
#define SHIPPED                                                                                    \
    "order/o1: OrderShipped {id: o1}\n"                                                            \
    "stock/book: StockShipped {item: book, quantity: 2, by: o1}\n"                                 \
    "stock/pen: StockShipped {item: pen, quantity: 10, by: o1}\n"
#define RELEASED                                                                                   \
    "stock/book: StockReleased {item: book, quantity: 2, by: o1}\n"                                \
    "stock/pen: StockReleased {item: pen, quantity: 10, by: o1}\n"
#define SMALL(fields) "PlaceOrder {id: o2, customer: Ben, ship_within_s: 60, " fields "}"
#define ONE_BOOK "lines: [{item: book, quantity: 1, price: " EUR(1) "}]"

const struct sl_spec order_specs[] = {
    { .name = "stock can be added",
      .when = "AddStock {item: book, quantity: 3}",
      .then = BOOKS },
    { .name = "an order reserves the stock of its lines and is added up",
      .given = BOOKS "\n" PENS,
      .when = "PlaceOrder {" ORDER "}",
      .then = PLACED },
    { .name = "a total that the command says is not believed",
      .given = BOOKS "\n" PENS,
      .when = "PlaceOrder {" ORDER ", total: " EUR(1) "}",
      .then = PLACED },
    { .name = "what may be left out may be left out",
      .given = BOOKS,
      .when = SMALL(ONE_BOOK),
      .then = "OrderPlaced {id: o2, reference: 0, customer: Ben, channel: web, discount: 0, "
              "ship_within_s: 60, total: " EUR(1) ", " ONE_BOOK "}\n"
              "stock/book: StockReserved {item: book, quantity: 1, by: o2}" },
    { .name = "an order is placed once",
      .given = BOOKS "\n" PENS "\n" PLACED,
      .when = "PlaceOrder {" ORDER "}",
      .refused = "order_exists" },
    { .name = "what is reserved is not there for others",
      .given = BOOKS "\n" PENS "\n" PLACED,
      .when = SMALL("lines: [{item: pen, quantity: 1, price: " EUR(1) "}]"),
      .refused = "out_of_stock" },
    { .name = "the rest of it is",
      .given = BOOKS "\n" PENS "\n" PLACED,
      .when = SMALL(ONE_BOOK),
      .then = "order/o2: OrderPlaced {id: o2, customer: Ben, ship_within_s: 60, "
              "total: " EUR(1) ", " ONE_BOOK "}\n"
              "StockReserved {item: book, quantity: 1, by: o2}" },
    { .name = "an item stands in one line",
      .given = BOOKS,
      .when = SMALL("lines: [{item: book, quantity: 1, price: " EUR(1) "}, "
                    "{item: book, quantity: 1, price: " EUR(1) "}]"),
      .refused = "item_twice" },
    { .name = "prices are of one currency",
      .given = BOOKS "\n" PENS,
      .when = SMALL("lines: [{item: book, quantity: 1, price: " EUR(1) "}, "
                    "{item: pen, quantity: 1, price: {minor: 1, currency: USD}}]"),
      .refused = "prices_do_not_add_up" },
    { .name = "half off is the most",
      .given = BOOKS,
      .when = SMALL("discount: '50.01', " ONE_BOOK),
      .refused = "discount_unfair" },
    { .name = "an order has lines",
      .when = SMALL("lines: []"),
      .refused = "lines: required" },
    { .name = "whose quantities are above 0",
      .when = SMALL("lines: [{item: pen, quantity: 0, price: " EUR(1) "}]"),
      .refused = "lines[0].quantity: range" },
    { .name = "a channel is one that is known",
      .when = SMALL("channel: pigeon, " ONE_BOOK),
      .refused = "channel: enum" },
    { .name = "an order can be authorised",
      .given = PLACED,
      .when = "Authorize {id: o1, amount: " EUR(5361) "}",
      .then = AUTHORIZED },
    { .name = "but not a large one",
      .given = PLACED,
      .when = "Authorize {id: o1, amount: " EUR(100001) "}",
      .refused = "over_limit" },
    { .name = "nor one that is none",
      .when = "Authorize {id: o1, amount: " EUR(1) "}",
      .refused = "order_not_open" },
    { .name = "an authorised order is shipped, with its stock",
      .given = BOOKS "\n" PENS "\n" PLACED AUTHORIZED,
      .when = "ShipOrder {id: o1}",
      .then = SHIPPED },
    { .name = "another is not",
      .given = PLACED,
      .when = "ShipOrder {id: o1}",
      .refused = "order_not_authorized" },
    { .name = "an order that is cancelled gives its stock back",
      .given = BOOKS "\n" PENS "\n" PLACED AUTHORIZED,
      .when = "CancelOrder {id: o1, reason: expired}",
      .then = "order/o1: OrderCancelled {id: o1, reason: expired}\n" RELEASED },
    { .name = "and others can have it",
      .given = BOOKS "\n" PENS "\n" PLACED "order/o1: OrderCancelled {id: o1}\n" RELEASED,
      .when = SMALL("lines: [{item: pen, quantity: 10, price: " EUR(0) "}]"),
      .then = "OrderPlaced {id: o2, customer: Ben, ship_within_s: 60, total: " EUR(0) ", "
              "lines: [{item: pen, quantity: 10, price: " EUR(0) "}]}\n"
              "StockReserved {item: pen, quantity: 10, by: o2}" },
    { .name = "a shipped order cannot be cancelled",
      .given = BOOKS "\n" PENS "\n" PLACED AUTHORIZED SHIPPED,
      .when = "CancelOrder {id: o1}",
      .refused = "order_not_open" },
};

const size_t order_spec_count = sizeof order_specs / sizeof *order_specs;
