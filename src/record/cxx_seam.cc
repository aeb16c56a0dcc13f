/*
 * simdjson is used for its first stage alone, which finds the tokens of a text at several GB/s and
 * validates UTF-8 on the way. Its second stage and its on-demand reader would parse every value
 * into a form of their own first; records know what they expect, so that C code walks the tokens
 * straight into structs, and says which field broke which rule.
 */
#include "record/cxx_seam.h"

#include <charconv>
#include <memory>
#include <new>

#include <simdjson.h>

struct sl_json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    size_t capacity;
};

namespace
{
constexpr size_t capacity_first = 16384;
constexpr size_t capacity_kept = 1 << 20;

bool set_capacity(struct sl_json_index *index, size_t capacity)
{
    if (index->stage->set_capacity(capacity) != simdjson::SUCCESS) {
        index->capacity = 0;
        return false;
    }
    index->capacity = capacity;
    return true;
}
} // namespace

struct sl_json_index *sl_json_index_new(void)
{
    auto *index = new (std::nothrow) sl_json_index{};

    if (!index)
        return nullptr;
    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity_first, 1, index->stage) != simdjson::SUCCESS) {
        delete index;
        return nullptr;
    }
    index->capacity = capacity_first;
    return index;
}

void sl_json_index_free(struct sl_json_index *index)
{
    delete index;
}

enum sl_index_result sl_json_index_make(struct sl_json_index *index, const char *json, size_t len,
                                        const uint32_t **out_starts, size_t *out_count)
{
    if (len == 0)
        return SL_INDEX_EMPTY;
    if (len > index->capacity) {
        size_t capacity = capacity_first;
        while (capacity < len)
            capacity *= 2;
        if (!set_capacity(index, capacity))
            return SL_INDEX_NO_MEMORY;
    }
    const auto *bytes = reinterpret_cast<const uint8_t *>(json);
    switch (index->stage->stage1(bytes, len, simdjson::stage1_mode::regular)) {
    case simdjson::SUCCESS:
        *out_starts = index->stage->structural_indexes.get();
        *out_count = index->stage->n_structural_indexes;
        return SL_INDEX_OK;
    case simdjson::UTF8_ERROR:
        return SL_INDEX_UTF8;
    case simdjson::UNESCAPED_CHARS:
        return SL_INDEX_CONTROL;
    case simdjson::UNCLOSED_STRING:
        return SL_INDEX_UNCLOSED;
    default:
        return SL_INDEX_EMPTY;
    }
}

void sl_json_index_trim(struct sl_json_index *index)
{
    /* A failure leaves capacity 0: the next text asks for memory again. */
    if (index->capacity > capacity_kept)
        (void)set_capacity(index, capacity_first);
}

size_t sl_double_digits(double value, char out[32])
{
    const auto result = std::to_chars(out, out + 32, value);

    return static_cast<size_t>(result.ptr - out);
}

bool sl_double_parse(const char *text, size_t len, double *out)
{
    double value = 0;
    const auto result = std::from_chars(text, text + len, value);

    if (result.ec != std::errc() || result.ptr != text + len)
        return false;
    *out = value;
    return true;
}
