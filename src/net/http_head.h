/*
 * The head of an HTTP/1.1 request: bytes in, verdict out. No I/O, no memory of its own.
 *
 * Strict RFC 9112 and 9110, because every leniency is a way to make two programs in a row disagree
 * about where a request ends (request smuggling). See http_head.c for the rules.
 */
#ifndef SL_NET_HTTP_HEAD_H
#define SL_NET_HTTP_HEAD_H

#include "net/net.h"

enum { SL_HTTP_HEADERS_MAX = 100 };

enum sl_head_verdict {
    SL_HEAD_WHOLE = 0, /* the head is complete and good */
    SL_HEAD_MORE,      /* good so far */
    SL_HEAD_BAD,       /* `fault` says why; nothing behind it can be trusted */
};

/* Why a request is refused. Texts are literals without characters that JSON escapes. */
struct sl_http_fault {
    int status;
    const char *rule; /* lower_case, for machines */
    const char *detail;
};

struct sl_http_head {
    /* Set by the caller: room for SL_HTTP_HEADERS_MAX. Filled with what points into the bytes. */
    struct sl_header *headers;
    uint32_t header_count;

    enum sl_method method;
    struct sl_text path;  /* not decoded; "/" where the target had none */
    struct sl_text query; /* ptr NULL: none */
    struct sl_text host;
    bool http_1_0;
    bool keep_alive; /* the peer wants the connection to stay */
    bool chunked;
    bool has_length;
    bool expects_continue;
    bool path_escaped; /* has a % */
    uint64_t content_length;
    struct sl_http_fault fault;
};

/* Parses the head at the start of `bytes`; names of headers are made lower-case in place (doing so
 * twice changes nothing). `bytes_max` is the most that a head may have. On WHOLE `*out_used` is its
 * length with the empty line. Answers do not depend on how the bytes were cut: what is MORE now may
 * become anything, what is WHOLE or BAD stays so however much follows. */
enum sl_head_verdict sl_http_head_parse(char *bytes, size_t len, size_t bytes_max,
                                        struct sl_http_head *head, size_t *out_used);

/* Decodes %XX once into `out`, which has room for raw.len bytes; `plus` makes "+" a space. Returns
 * the length. A "%" that two hexadecimal digits do not follow stays as it is. */
size_t sl_http_decode(struct sl_text raw, bool plus, char *out);

/* A decoded path that may be handed out: no NUL and no segment "..". */
bool sl_http_path_good(struct sl_text path);

#endif
