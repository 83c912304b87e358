/*
 * Any bytes as a responder's answer over HTTP, in two pieces: what is found lies within
 * it, an end is an end, and more bytes do not take back what was whole.  The first byte
 * says where the answer is cut.
 */
#include "shim/session/http.h"

#include <stdlib.h>
#include <string.h>

#include "tests/lib/fuzz.h"

static enum http_state
read_part(const uint8_t *input, size_t len, bool ended)
{
    uint8_t *copy = malloc(len > 0 ? len : 1); /* of just this size, for ASan */
    struct http_answer answer;
    require(copy != NULL);
    memcpy(copy, input, len);
    enum http_state state = http_read(copy, len, ended, &answer);
    require(!ended || state != HTTP_MORE);
    if (state == HTTP_WHOLE) {
        require(answer.status == 200 && answer.body >= copy &&
                answer.body_len <= len - (size_t)(answer.body - copy));
    }
    free(copy);
    return state;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
    if (len == 0) {
        return 0;
    }
    size_t cut = input[0] < len - 1 ? input[0] : len - 1;
    enum http_state first = read_part(input + 1, cut, false);
    enum http_state open = read_part(input + 1, len - 1, false);
    (void)read_part(input + 1, len - 1, true);
    require(first == HTTP_MORE || first == open);
    return 0;
}
