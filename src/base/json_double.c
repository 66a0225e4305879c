/*
 * Doubles from and to decimals. The C library's functions are not used: they follow the locale of the
 * program that we are linked into, and printf has no form for "as few digits as it takes".
 *
 * Reading: D. Lemire, "Number parsing at a gigabyte per second" (2021), which N. Mushtak and D. Lemire, "Fast number
 * parsing without fallback" (2022), prove right for every number of up to 19 digits. What has more is
 * between two such numbers; when these give different doubles, the number is compared with the middle of the two
 * doubles, with as many bits as it takes.
 *
 * Writing: R. Giulietti, "The Schubfach way to render doubles" (2021): the shortest decimal within the interval that
 * rounds to the double, and of several as short the closest.
 *
 * Both work with the same table of powers of ten in 128 bits, rounded up (json_pow10.c).
 */
#include <math.h>

#include "base/assert.h"
#include "base/json_internal.h"

typedef unsigned __int128 uint128;

#define FRACTION_BITS 52
#define HIDDEN_BIT    (UINT64_C(1) << FRACTION_BITS)
#define EXPONENT_MASK 0x7ff
/* A double is significand * 2^(exponent - BIAS), its exponent field being 0 counted as 1. */
#define BIAS 1075

static uint64_t bits_of(double number)
{
	uint64_t bits;

	memcpy(&bits, &number, sizeof(bits));
	return bits;
}

static double double_of_bits(uint64_t bits)
{
	double number;

	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* floor(log2(10^e)), floor(log10(2^e)) and floor(log10(3/4 * 2^e)): exact for |e| <= 1233 at least. */
static int32_t log2_pow10(int32_t e)
{
	return (e * 1741647) >> 19;
}

static int32_t log10_pow2(int32_t e)
{
	return (e * 1262611) >> 22;
}

static int32_t log10_three_quarters_pow2(int32_t e)
{
	return (e * 1262611 - 524031) >> 22;
}

static uint128 pow10_bits(int32_t exponent)
{
	const uint64_t *entry = es_json_pow10[exponent - ES_JSON_POW10_MIN];

	return (uint128)entry[0] << 64 | entry[1];
}

/* ---- reading ---------------------------------------------------------------------------- */

#define EXACT_POW10_MAX 55 /* 10^55 = 5^55 * 2^55, and 5^55 < 2^128 */

/* The lower 64 bits that are not in the result are dropped. */
static uint128 upper_product(uint64_t a, uint128 b)
{
	return (uint128)a * (uint64_t)(b >> 64) + ((uint128)a * (uint64_t)b >> 64);
}

double es_json_scale(uint64_t digits, int64_t exponent)
{
	int zeros;
	uint128 power;
	uint128 product;
	uint64_t upper;
	uint64_t significand;
	int shift;
	int32_t binary; /* the exponent field */

	if (digits == 0 || exponent < ES_JSON_POW10_MIN)
		return 0;
	if (exponent > 308)
		return HUGE_VAL;
	/* The proof wants powers above the exact ones rounded down. */
	power = pow10_bits((int32_t)exponent) - (exponent > EXACT_POW10_MAX);
	zeros = __builtin_clzll(digits);
	product = upper_product(digits << zeros, power);
	upper = (uint64_t)(product >> 64);
	shift = (int)(upper >> 63) + 64 - FRACTION_BITS - 3;
	significand = upper >> shift; /* and one bit to round */
	binary = log2_pow10((int32_t)exponent) + (int32_t)(upper >> 63) + 63 - zeros + 1023;
	if (binary <= 0) {
		if (binary <= -63)
			return 0;
		significand >>= 1 - binary;
		significand += significand & 1;
		/* One that was rounded up to the hidden bit is normal by the same bits. */
		return double_of_bits(significand >> 1);
	}
	/* Exactly in the middle, which so few digits can be for these powers only: to the even one. */
	if ((uint64_t)product <= 1 && exponent >= -4 && exponent <= 23 && (significand & 3) == 1 &&
	    significand << shift == upper)
		significand--;
	significand += significand & 1;
	significand >>= 1;
	/* The hidden bit, or the one above after rounding up, adds to the field. */
	significand += (uint64_t)(binary - 1) << FRACTION_BITS;
	return significand >> FRACTION_BITS >= EXPONENT_MASK ? HUGE_VAL
							     : double_of_bits(significand);
}

/* A number of up to 32 * BIG_WORDS bits, the lowest first. 800 digits, 5^1142 or 2^1500 times these
 * are below 2^4200. */
#define BIG_WORDS 136
struct big {
	uint32_t words[BIG_WORDS];
	unsigned count; /* the highest in use is not 0 */
};

/* number * factor + more */
static void big_multiply(struct big *big, uint32_t factor, uint32_t more)
{
	uint64_t carry = more;

	for (unsigned i = 0; i < big->count; i++) {
		carry += (uint64_t)big->words[i] * factor;
		big->words[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry > 0) {
		ES_ASSERT(big->count < BIG_WORDS);
		big->words[big->count++] = (uint32_t)carry;
	}
}

static void big_multiply_pow5(struct big *big, uint64_t exponent)
{
	for (; exponent >= 13; exponent -= 13)
		big_multiply(big, 1220703125, 0);
	for (; exponent > 0; exponent--)
		big_multiply(big, 5, 0);
}

static void big_multiply_pow2(struct big *big, uint64_t exponent)
{
	for (; exponent >= 31; exponent -= 31)
		big_multiply(big, UINT32_C(1) << 31, 0);
	big_multiply(big, UINT32_C(1) << exponent, 0);
}

static int big_compare(const struct big *a, const struct big *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (unsigned i = a->count; i-- > 0;)
		if (a->words[i] != b->words[i])
			return a->words[i] < b->words[i] ? -1 : 1;
	return 0;
}

/* The middle of two doubles has at most 767 digits; what is behind so many only says that there is more. */
#define DIGITS_MAX 800

static uint8_t digit_at(const struct es_json_decimal *decimal, size_t i)
{
	return (uint8_t)((i < decimal->whole.len ? decimal->whole.data[i]
						 : decimal->part.data[i - decimal->whole.len]) -
			 '0');
}

/* Compare digits * 10^exponent with the middle of `below` and the double above it. */
static int compare_with_middle(const struct es_json_decimal *decimal, size_t first, double below)
{
	uint64_t bits = bits_of(below);
	uint64_t fraction = bits & (HIDDEN_BIT - 1);
	int64_t field = (int64_t)(bits >> FRACTION_BITS);
	uint64_t middle = (field == 0 ? fraction : fraction | HIDDEN_BIT) * 2 + 1;
	int64_t exponent2 = (field == 0 ? 1 : field) - BIAS - 1;
	size_t digits = decimal->whole.len + decimal->part.len;
	size_t used = digits - first > DIGITS_MAX ? first + DIGITS_MAX : digits;
	int64_t exponent10 = decimal->exponent + (int64_t)decimal->whole.len - (int64_t)used;
	struct big a = {.count = 0};
	struct big b = {.words = {(uint32_t)middle, (uint32_t)(middle >> 32)}};
	size_t i;

	b.count = b.words[1] != 0 ? 2 : 1;
	for (i = first; i < used; i++)
		big_multiply(&a, 10, digit_at(decimal, i));
	while (i < digits && digit_at(decimal, i) == 0)
		i++;
	if (i < digits) {
		big_multiply(&a, 10, 1);
		exponent10--;
	}
	/* a * 10^exponent10 and b * 2^exponent2: both over the smaller powers of 5 and 2. */
	if (exponent10 >= 0)
		big_multiply_pow5(&a, (uint64_t)exponent10);
	else
		big_multiply_pow5(&b, (uint64_t)-exponent10);
	if (exponent10 >= exponent2)
		big_multiply_pow2(&a, (uint64_t)(exponent10 - exponent2));
	else
		big_multiply_pow2(&b, (uint64_t)(exponent2 - exponent10));
	return big_compare(&a, &b);
}

double es_json_double_of(const struct es_json_decimal *decimal)
{
	size_t digits = decimal->whole.len + decimal->part.len;
	size_t first = 0;
	size_t i;
	uint64_t number = 0;
	int64_t exponent;
	double below;
	double above;
	int order;

	while (first < digits && digit_at(decimal, first) == 0)
		first++;
	for (i = first; i < digits && i < first + 19; i++)
		number = number * 10 + digit_at(decimal, i);
	exponent = decimal->exponent + (int64_t)decimal->whole.len - (int64_t)i;
	below = es_json_scale(number, exponent);
	while (i < digits && digit_at(decimal, i) == 0)
		i++;
	if (i == digits)
		return below;
	above = es_json_scale(number + 1, exponent);
	if (bits_of(below) == bits_of(above))
		return below;
	order = compare_with_middle(decimal, first, below);
	if (order != 0)
		return order < 0 ? below : above;
	return (bits_of(below) & 1) == 0 ? below : above;
}

/* ---- writing ---------------------------------------------------------------------------- */

struct decimal {
	uint64_t digits;
	int32_t exponent;
};

/* factor * power / 2^128, of whose fraction only the last bit of the result says that there is one. */
static uint64_t round_to_odd(uint128 power, uint64_t factor)
{
	uint128 product = upper_product(factor, power);

	return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/*
 * The interval of decimals that read as the double, ends included for even significands, is scaled by
 * a power of ten so that it holds at least one integer, and at most one multiple of ten. All is in
 * quarters, so that ends and middles are integers.
 */
static struct decimal shortest(uint64_t significand, int32_t exponent, bool lower_is_closer)
{
	uint64_t odd = significand & 1;
	int32_t k = lower_is_closer ? log10_three_quarters_pow2(exponent) : log10_pow2(exponent);
	int32_t shift = exponent + log2_pow10(-k) + 1;
	uint128 power = pow10_bits(-k);
	uint64_t lower = round_to_odd(power, (4 * significand - 2 + lower_is_closer) << shift) +
			 odd;
	uint64_t upper = round_to_odd(power, (4 * significand + 2) << shift) - odd;
	uint64_t quarters = round_to_odd(power, (4 * significand) << shift);
	uint64_t below = quarters / 4;
	uint64_t tens = below / 10;
	uint64_t middle;
	bool below_fits;
	bool above_fits;

	if (below >= 10) {
		below_fits = lower <= 40 * tens;
		above_fits = 40 * tens + 40 <= upper;
		if (below_fits != above_fits)
			return (struct decimal){tens + above_fits, k + 1};
	}
	below_fits = lower <= 4 * below;
	above_fits = 4 * below + 4 <= upper;
	if (below_fits != above_fits)
		return (struct decimal){below + above_fits, k};
	middle = 4 * below + 2;
	return (struct decimal){
		below + (quarters > middle || (quarters == middle && (below & 1) != 0)), k};
}

static struct decimal decimal_of(uint64_t bits)
{
	uint64_t fraction = bits & (HIDDEN_BIT - 1);
	int32_t field = (int32_t)(bits >> FRACTION_BITS & EXPONENT_MASK);
	uint64_t significand = field == 0 ? fraction : fraction | HIDDEN_BIT;
	int32_t exponent = (field == 0 ? 1 : field) - BIAS;

	if (exponent <= 0 && exponent > -FRACTION_BITS - 1 &&
	    (significand & ((UINT64_C(1) << -exponent) - 1)) == 0)
		return (struct decimal){significand >> -exponent, 0}; /* an integer below 2^53 */
	return shortest(significand, exponent, fraction == 0 && field > 1);
}

static char *put_zeros(char *out, int32_t count)
{
	memset(out, '0', (size_t)count);
	return out + count;
}

static char *put_digits(char *out, const char *digits, int32_t count)
{
	memcpy(out, digits, (size_t)count);
	return out + count;
}

static char *put_exponent(char *out, int32_t exponent)
{
	*out++ = 'e';
	*out++ = exponent < 0 ? '-' : '+';
	if (exponent < 0)
		exponent = -exponent;
	if (exponent >= 100)
		*out++ = (char)('0' + exponent / 100);
	if (exponent >= 10)
		*out++ = (char)('0' + exponent / 10 % 10);
	*out++ = (char)('0' + exponent % 10);
	return out;
}

/* d.ddd * 10^exponent; the last digit is not 0, unless it is the only one. */
static char *put_decimal(char *out, const char *digits, int32_t count, int32_t exponent)
{
	if (exponent < -5 || exponent > 15) {
		*out++ = digits[0];
		if (count > 1) {
			*out++ = '.';
			out = put_digits(out, digits + 1, count - 1);
		}
		return put_exponent(out, exponent);
	}
	if (exponent < 0) {
		*out++ = '0';
		*out++ = '.';
		out = put_zeros(out, -exponent - 1);
		return put_digits(out, digits, count);
	}
	if (exponent < count - 1) {
		out = put_digits(out, digits, exponent + 1);
		*out++ = '.';
		return put_digits(out, digits + exponent + 1, count - 1 - exponent);
	}
	out = put_digits(out, digits, count);
	out = put_zeros(out, exponent - count + 1);
	*out++ = '.';
	*out++ = '0';
	return out;
}

size_t es_json_format_double(double number, char out[ES_JSON_DOUBLE_MAX])
{
	uint64_t bits = bits_of(number);
	struct decimal decimal = {0, 0};
	char digits[20];
	char *at = digits + sizeof(digits); /* no index: clang 14 loses what is stored through one */
	int32_t count;
	char *end = out;

	ES_ASSERT((bits >> FRACTION_BITS & EXPONENT_MASK) != EXPONENT_MASK);
	if (bits >> 63 != 0)
		*end++ = '-';
	if (bits << 1 != 0)
		decimal = decimal_of(bits);
	while (decimal.digits >= 10 && decimal.digits % 10 == 0) {
		decimal.digits /= 10;
		decimal.exponent++;
	}
	do {
		*--at = (char)('0' + decimal.digits % 10);
		decimal.digits /= 10;
	} while (decimal.digits > 0);
	count = (int32_t)(digits + sizeof(digits) - at);
	end = put_decimal(end, at, count, decimal.exponent + count - 1);
	return (size_t)(end - out);
}
