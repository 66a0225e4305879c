#ifndef ES_CTL_TEXT_H
#define ES_CTL_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"

/*
 * Texts of others on a terminal. Hidden are control characters (U+0080 to U+009F as well), ends of lines, and what
 * turns the direction of a text: they could move the cursor, or show something else than there is.
 */
#define ES_CTL_NO_POINT UINT32_MAX

/* The code point at text[*at], which is moved behind it; for a byte that is not of UTF-8, ES_CTL_NO_POINT. */
uint32_t es_ctl_text_decode(struct es_slice text, size_t *at);
bool es_ctl_text_is_hidden(uint32_t point);

/* For people: what is hidden, and bytes that are no UTF-8, are \xNN or \uNNNN. */
void es_ctl_print_text(FILE *file, struct es_slice text);
/* How wide that is when every other character is as wide as a letter. */
size_t es_ctl_text_width(struct es_slice text);

/* A text as a JSON string, piece by piece: nothing is copied. Bytes that are no UTF-8 become U+FFFD. */
void es_ctl_print_json(FILE *file, struct es_slice text);
/* JSON as it is, with what is hidden in its strings escaped: it stands for the same value. */
void es_ctl_print_json_value(FILE *file, struct es_slice json);

#endif
