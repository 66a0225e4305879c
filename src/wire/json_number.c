#include "wire/json_number.h"

#include "base/json.h"

static const char too_large[] = "the number is out of range";

struct es_slice es_wire_number_in(struct es_slice string)
{
	struct es_json_cursor cursor;
	struct es_slice text;
	int type;

	es_json_cursor_init(&cursor, string, 0);
	type = es_json_peek(&cursor);
	if ((type != ES_JSON_INT && type != ES_JSON_DOUBLE) || es_json_skip(&cursor, &text) < 0 ||
	    text.len != string.len)
		return es_slice(NULL, 0);
	return text;
}

/* Times ten, so often. False: beyond 64 bits. */
static bool shift(uint64_t *number, int64_t zeros)
{
	for (; zeros > 0; zeros--) {
		if (*number > UINT64_MAX / 10)
			return false;
		*number *= 10;
	}
	return true;
}

/* Behind the 'e'. What is beyond all sense is cut. */
static int64_t parse_exponent(const uint8_t *at, const uint8_t *end)
{
	bool negative = *at == '-';
	int64_t exponent = 0;

	for (at += *at == '-' || *at == '+'; at < end; at++) {
		if (exponent < INT32_MAX)
			exponent = exponent * 10 + (*at - '0');
	}
	return negative ? -exponent : exponent;
}

/*
 * The magnitude of a JSON number, exactly, however it is written: "10", "10.0", "1e1". Zeros are held back until
 * another digit follows, so only a number that is too large itself is too large here. NULL, or what is wrong.
 */
static const char *parse_integer(struct es_slice text, uint64_t *ret_number)
{
	const uint8_t *at = text.data, *end = text.data + text.len;
	int64_t zeros = 0, behind_point = 0;
	bool point = false;
	uint64_t number = 0;

	for (at += *at == '-'; at < end && *at != 'e' && *at != 'E'; at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		behind_point += point;
		zeros++;
		if (*at == '0')
			continue;
		if (!shift(&number, zeros) || number > UINT64_MAX - (*at - '0'))
			return too_large;
		number += *at - '0';
		zeros = 0;
	}
	*ret_number = number;
	if (number == 0)
		return NULL;
	zeros -= behind_point;
	if (at < end)
		zeros += parse_exponent(at + 1, end);
	if (zeros < 0)
		return "expected an integer";
	return shift(ret_number, zeros) ? NULL : too_large;
}

const char *es_wire_integer(struct es_slice text, int64_t min, uint64_t max, uint64_t *ret_bits)
{
	bool negative = text.data[0] == '-';
	const char *problem = parse_integer(text, ret_bits);

	if (problem != NULL)
		return problem;
	if (*ret_bits > (negative ? 0 - (uint64_t)min : max))
		return too_large;
	if (negative)
		*ret_bits = 0 - *ret_bits;
	return NULL;
}
