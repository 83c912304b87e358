/*
 * DER, walked in place.
 */
#ifndef CONFIG_DER_H
#define CONFIG_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes inside somebody else's buffer. */
struct der_span {
    const uint8_t *at;
    size_t len;
};

struct der_item {
    uint8_t tag;
    struct der_span value;
    struct der_span whole; /* with tag and length */
};

/*
 * Takes the next element off a list.
 *
 *   rest  in/out  what is left of the list; untouched when there is no next element
 *   item  out     lies within the list; rest may be its value, to go one level down
 *
 * Returns  true; false at the end, or when what is left is not DER (rest->len > 0).
 * Source   X.690 sections 8.1 and 10.1: low tags, definite lengths in the fewest bytes.
 */
bool der_next(struct der_span *rest, struct der_item *item);

/* As der_next(), and the element has this tag. */
bool der_expect(struct der_span *rest, uint8_t tag, struct der_item *item);

bool der_is(struct der_span span, const void *bytes, size_t len);

#endif
