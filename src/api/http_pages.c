/* /ui/…: the pages that are embedded in the program. */
#include "api/parts.h"

#include <string.h>

static const struct sl_asset *find_asset(const struct sl_api *api, struct sl_text path)
{
    for (size_t i = 0; i < api->options.asset_count; i++)
        if (sl_text_equals(path, api_text(api->options.assets[i].path)))
            return &api->options.assets[i];
    return NULL;
}

/* "" and "bank/" mean the index.html there. */
static const struct sl_asset *find_page(const struct sl_api *api, struct sl_text path,
                                        struct sl_arena *arena)
{
    if (path.len > 0 && path.ptr[path.len - 1] != '/')
        return find_asset(api, path);
    const struct sl_text index =
        sl_arena_printf(arena, "%.*sindex.html", (int)path.len, path.len ? path.ptr : "");
    return index.ptr ? find_asset(api, index) : NULL;
}

void api_get_page_moved(struct api_call *call)
{
    struct sl_buf *headers = api_headers(call);

    SL_BUF_LITERAL(headers, "Location: /ui/\r\n");
    api_send(call, 308, NULL, (struct sl_text){NULL, 0});
}

void api_get_page(struct api_call *call)
{
    const struct sl_asset *asset = find_page(call->api, call->route.rest, call->request->arena);

    if (!asset) {
        api_refuse(call, "not_found", NULL,
                   call->api->options.asset_count > 0 ? "there is no such page"
                                                      : "this program was built without pages");
        return;
    }
    struct sl_buf *headers = api_headers(call);
    sl_buf_printf(headers,
                  "ETag: %s\r\n"
                  "Cache-Control: no-cache\r\n"
                  "Content-Security-Policy: default-src 'self'; img-src 'self' data:; "
                  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'\r\n"
                  "Referrer-Policy: no-referrer\r\n",
                  asset->etag);
    const struct sl_text wanted = sl_request_header(call->request, "if-none-match");
    if (wanted.len > 0 && sl_url_etag_matches(wanted, api_text(asset->etag)))
        api_send(call, 304, NULL, (struct sl_text){NULL, 0});
    else
        api_send(call, 200, asset->content_type,
                 (struct sl_text){(const char *)asset->bytes, asset->len});
}
