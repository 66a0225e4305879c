#include "ctl/text.h"

uint32_t es_ctl_text_decode(struct es_slice text, size_t *at)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	uint8_t first = text.data[(*at)++];
	unsigned more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
	uint32_t point;

	if (first < 0x80)
		return first;
	if (first < 0xc0 || first > 0xf4 || text.len - *at < more)
		return ES_CTL_NO_POINT;
	point = first & (0x3fu >> more);
	for (unsigned i = 0; i < more; i++) {
		if ((text.data[*at + i] & 0xc0) != 0x80)
			return ES_CTL_NO_POINT;
		point = point << 6 | (text.data[*at + i] & 0x3f);
	}
	if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return ES_CTL_NO_POINT;
	*at += more;
	return point;
}

bool es_ctl_text_is_hidden(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

void es_ctl_print_text(FILE *file, struct es_slice text)
{
	for (size_t at = 0; at < text.len;) {
		size_t begin = at;
		uint32_t point = es_ctl_text_decode(text, &at);

		if (point == ES_CTL_NO_POINT)
			(void)fprintf(file, "\\x%02x", text.data[begin]);
		else if (es_ctl_text_is_hidden(point))
			(void)fprintf(file, point < 0x100 ? "\\x%02x" : "\\u%04x", point);
		else
			(void)fwrite(text.data + begin, 1, at - begin, file);
	}
}

size_t es_ctl_text_width(struct es_slice text)
{
	size_t width = 0;

	for (size_t at = 0; at < text.len;) {
		uint32_t point = es_ctl_text_decode(text, &at);

		if (point == ES_CTL_NO_POINT)
			width += 4;
		else if (es_ctl_text_is_hidden(point))
			width += point < 0x100 ? 4 : 6;
		else
			width++;
	}
	return width;
}

/* `from`: control characters from here on are escaped, as those below may be between the values. */
static void print_escaped(FILE *file, struct es_slice text, uint32_t from)
{
	size_t begin = 0; /* of what was not printed yet */

	for (size_t at = 0; at < text.len;) {
		size_t here = at;
		uint32_t point = es_ctl_text_decode(text, &at);
		bool quoted = from == 0 && (point == '"' || point == '\\');

		if (!quoted && point != ES_CTL_NO_POINT &&
		    (point < from || !es_ctl_text_is_hidden(point)))
			continue;
		(void)fwrite(text.data + begin, 1, here - begin, file);
		if (quoted)
			(void)fprintf(file, "\\%c", (int)point);
		else
			(void)fprintf(file, "\\u%04x", point == ES_CTL_NO_POINT ? 0xfffdu : point);
		begin = at;
	}
	if (text.len > begin)
		(void)fwrite(text.data + begin, 1, text.len - begin, file);
}

void es_ctl_print_json(FILE *file, struct es_slice text)
{
	(void)fputc('"', file);
	print_escaped(file, text, 0);
	(void)fputc('"', file);
}

void es_ctl_print_json_value(FILE *file, struct es_slice json)
{
	print_escaped(file, json, 0x7f);
}
