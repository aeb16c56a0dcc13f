#include "json_dom.h"

#include <simdjson.h>

static void sum_text(std::string_view text, uint64_t *sum)
{
    *sum = json_text_sum(*sum, text.data(), text.size());
}

static void sum_texts(simdjson::dom::element element, uint64_t *sum)
{
    simdjson::dom::array array;
    simdjson::dom::object object;
    std::string_view text;

    if (element.get(text) == simdjson::SUCCESS) {
        sum_text(text, sum);
    } else if (element.get(array) == simdjson::SUCCESS) {
        for (const simdjson::dom::element item : array)
            sum_texts(item, sum);
    } else if (element.get(object) == simdjson::SUCCESS) {
        for (const simdjson::dom::key_value_pair member : object) {
            sum_text(member.key, sum);
            sum_texts(member.value, sum);
        }
    }
}

enum json_dom_answer json_dom_parse(const uint8_t *bytes, size_t len, uint64_t *out_texts)
{
    static simdjson::dom::parser parser;
    simdjson::dom::element element;

    switch (parser.parse(bytes, len).get(element)) {
    case simdjson::SUCCESS:
        *out_texts = 0;
        sum_texts(element, out_texts);
        return JSON_DOM_TAKEN;
    case simdjson::NUMBER_ERROR:
        return JSON_DOM_NUMBER;
    case simdjson::STRING_ERROR:
        return JSON_DOM_STRING;
    default:
        return JSON_DOM_REFUSED;
    }
}
