/*
 * Numbers as they stand in a text: their grammar, and what value they become.
 */
#include <math.h>

#include "base/json_internal.h"

#define EXPONENT_FAR INT64_C(1000000000000)

static const uint8_t *digits_end(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Behind 'e' or 'E': the sign and the digits. */
static int pass_exponent(struct es_json_text *text, int64_t *ret_exponent)
{
	bool negative = false;
	int64_t exponent = 0;
	const uint8_t *begin;

	if (text->at < text->end && (*text->at == '+' || *text->at == '-'))
		negative = *text->at++ == '-';
	begin = text->at;
	text->at = digits_end(begin, text->end);
	if (text->at == begin)
		return es_json_fail(text, begin, "expected a digit");
	for (const uint8_t *at = begin; at < text->at; at++)
		if (exponent < EXPONENT_FAR / 10)
			exponent = exponent * 10 + (*at - '0');
		else
			exponent = EXPONENT_FAR;
	*ret_exponent = negative ? -exponent : exponent;
	return 0;
}

int es_json_pass_number(struct es_json_text *text, struct es_json_decimal *ret_decimal)
{
	const uint8_t *begin;

	*ret_decimal = (struct es_json_decimal){.integral = true};
	if (text->at < text->end && *text->at == '-') {
		ret_decimal->negative = true;
		text->at++;
	}
	begin = text->at;
	text->at = digits_end(begin, text->end);
	ret_decimal->whole = es_slice(begin, (size_t)(text->at - begin));
	if (text->at == begin)
		return es_json_fail(text, begin, "expected a digit");
	if (*begin == '0' && ret_decimal->whole.len > 1)
		return es_json_fail(text, begin, "a number that begins with 0");
	if (text->at < text->end && *text->at == '.') {
		ret_decimal->integral = false;
		begin = ++text->at;
		text->at = digits_end(begin, text->end);
		ret_decimal->part = es_slice(begin, (size_t)(text->at - begin));
		if (text->at == begin)
			return es_json_fail(text, begin, "expected a digit");
	}
	if (text->at < text->end && (*text->at == 'e' || *text->at == 'E')) {
		ret_decimal->integral = false;
		text->at++;
		return pass_exponent(text, &ret_decimal->exponent);
	}
	return 0;
}

/* Add digits to *number until the next would not fit; returns how many were taken. */
static size_t take_digits(struct es_slice digits, uint64_t *number)
{
	size_t i;

	for (i = 0; i < digits.len; i++) {
		uint64_t more;

		if (__builtin_mul_overflow(*number, 10, &more) ||
		    __builtin_add_overflow(more, (uint64_t)(digits.data[i] - '0'), &more))
			break;
		*number = more;
	}
	return i;
}

/* An integer of 64 bits, if it is one; "-0" is not, as it is not 0. */
static bool is_integer(const struct es_json_decimal *decimal, struct es_json *ret_value)
{
	uint64_t number = 0;

	if (!decimal->integral || take_digits(decimal->whole, &number) < decimal->whole.len)
		return false;
	if (decimal->negative) {
		if (number == 0 || number > (uint64_t)INT64_MAX + 1)
			return false;
		*ret_value = es_json_int(-(int64_t)(number - 1) - 1);
	} else if (number <= INT64_MAX) {
		*ret_value = es_json_int((int64_t)number);
	} else {
		*ret_value = (struct es_json){.type = ES_JSON_UINT, .u.u64 = number};
	}
	return true;
}

/* ES_JSON_NUMBERS_V0, step for step; even that digits behind the point are taken on where one before it did not fit. */
static double double_of_v0(const struct es_json_decimal *decimal)
{
	uint64_t digits = 0;
	size_t whole = take_digits(decimal->whole, &digits);
	size_t part = take_digits(decimal->part, &digits);
	int64_t exponent = decimal->exponent;
	double number = (double)digits;

	exponent += (int64_t)(decimal->whole.len - whole) - (int64_t)part;
	while (number != 0 && exponent < -308) {
		number /= 1e308;
		exponent += 308;
	}
	if (number == 0)
		return 0;
	if (exponent > 308)
		return HUGE_VAL;
	return exponent < 0 ? number / es_json_scale(1, -exponent)
			    : number * es_json_scale(1, exponent);
}

int es_json_read_number(struct es_json_text *text, enum es_json_numbers numbers,
			struct es_json *ret_value)
{
	const uint8_t *begin = text->at;
	struct es_json_decimal decimal;
	double number;
	int rc = es_json_pass_number(text, &decimal);

	if (rc < 0)
		return rc;
	if (is_integer(&decimal, ret_value))
		return 0;
	number = numbers == ES_JSON_NUMBERS_V0 ? double_of_v0(&decimal)
					       : es_json_double_of(&decimal);
	if (isinf(number))
		return es_json_fail(text, begin, "a number too large for a double");
	*ret_value = (struct es_json){
		.type = ES_JSON_DOUBLE,
		.u.number = decimal.negative ? -number : number,
	};
	return 0;
}
