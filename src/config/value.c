#include "config/value.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/status.h"

int es_value_bool(const char *text, bool *ret_value)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};

	for (size_t i = 0; i < ES_ARRAY_LEN(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*ret_value = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return ES_EINVAL;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return INT_MAX;
}

/* Skips the prefix that names the base. */
static unsigned base_of(const char **text)
{
	const char *p = *text;

	if (p[0] != '0' || p[1] == '\0')
		return 10;
	*text += 2;
	switch (p[1]) {
	case 'x':
	case 'X': return 16;
	case 'o':
	case 'O': return 8;
	case 'b':
	case 'B': return 2;
	default:
		*text -= 1; /* a leading zero alone is octal */
		return 8;
	}
}

int es_value_uint(const char *text, uint64_t max, uint64_t *ret_value)
{
	unsigned base = base_of(&text);
	uint64_t value = 0;
	bool overflow = false;

	if (*text == '\0')
		return ES_EINVAL;
	for (; *text != '\0'; text++) {
		int d = digit(*text);

		if (d >= (int)base)
			return ES_EINVAL;
		overflow |= __builtin_mul_overflow(value, base, &value);
		overflow |= __builtin_add_overflow(value, (unsigned)d, &value);
	}
	if (overflow || value > max)
		return ES_VALUE_RANGE;
	*ret_value = value;
	return 0;
}

int es_value_int(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	uint64_t magnitude;
	int rc;

	if (*text == '-' || *text == '+')
		text++;
	rc = es_value_uint(text, (uint64_t)INT64_MAX + (negative ? 1 : 0), &magnitude);
	if (rc < 0)
		return rc;
	*ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

static int64_t unit_ns(const char *unit, size_t len)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"\xc2\xb5s", 1000}, /* micro sign */
		{"\xce\xbcs", 1000}, /* Greek mu */
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", 60 * INT64_C(1000000000)},
		{"h", 3600 * INT64_C(1000000000)},
	};

	for (size_t i = 0; i < ES_ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, unit, len) == 0)
			return units[i].ns;
	return 0;
}

/* One number with its unit, at *text; adds it to *total. */
static int duration_part(const char **text, uint64_t *total)
{
	const char *p = *text;
	uint64_t whole = 0, fraction = 0, scale = 1;
	bool any = false, overflow = false;
	uint64_t part;
	int64_t ns;
	size_t unit_len;

	for (; *p >= '0' && *p <= '9'; p++, any = true) {
		overflow |= __builtin_mul_overflow(whole, 10, &whole);
		overflow |= __builtin_add_overflow(whole, (unsigned)(*p - '0'), &whole);
	}
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++, any = true) {
			if (scale >= 1000000000000000) /* finer than any unit can show */
				continue;
			fraction = fraction * 10 + (unsigned)(*p - '0');
			scale *= 10;
		}
	}
	unit_len = strcspn(p, ".0123456789");
	ns = unit_ns(p, unit_len);
	if (!any || ns == 0)
		return ES_EINVAL;
	overflow |= __builtin_mul_overflow(whole, (uint64_t)ns, &part);
	overflow |= __builtin_add_overflow(
		part, (uint64_t)((unsigned __int128)fraction * (uint64_t)ns / scale), &part);
	overflow |= __builtin_add_overflow(*total, part, total);
	*text = p + unit_len;
	return overflow ? ES_VALUE_RANGE : 0;
}

int es_value_duration(const char *text, int64_t *ret_ns)
{
	bool negative = *text == '-';
	uint64_t total = 0;

	if (*text == '-' || *text == '+')
		text++;
	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (*text == '\0')
		return ES_EINVAL;
	while (*text != '\0') {
		int rc = duration_part(&text, &total);

		if (rc < 0)
			return rc;
	}
	if (total > (uint64_t)INT64_MAX)
		return ES_VALUE_RANGE;
	*ret_ns = negative ? -(int64_t)total : (int64_t)total;
	return 0;
}

/* "1.5" from 1500000000 with 1000000000 to one: no trailing zeros. */
static void decimal(uint64_t value, uint64_t one, const char *unit, char *out, size_t size)
{
	uint64_t fraction = value % one;
	int digits = 0;

	for (uint64_t rest = one; rest > 1; rest /= 10)
		digits++;
	while (fraction > 0 && fraction % 10 == 0) {
		fraction /= 10;
		digits--;
	}
	if (fraction == 0)
		(void)snprintf(out, size, "%llu%s", (unsigned long long)(value / one), unit);
	else
		(void)snprintf(out, size, "%llu.%0*llu%s", (unsigned long long)(value / one),
			       digits, (unsigned long long)fraction, unit);
}

void es_value_duration_text(int64_t ns, char ret_text[ES_DURATION_TEXT_MAX])
{
	uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	const char *sign = ns < 0 ? "-" : "";
	uint64_t minutes = u / (60 * UINT64_C(1000000000));
	char seconds[32];

	if (u == 0) {
		(void)snprintf(ret_text, ES_DURATION_TEXT_MAX, "0s");
		return;
	}
	if (u < 1000)
		decimal(u, 1, "ns", seconds, sizeof(seconds));
	else if (u < 1000000)
		decimal(u, 1000, "\xc2\xb5s", seconds, sizeof(seconds));
	else if (u < 1000000000)
		decimal(u, 1000000, "ms", seconds, sizeof(seconds));
	else
		decimal(u % (60 * UINT64_C(1000000000)), 1000000000, "s", seconds, sizeof(seconds));
	if (minutes == 0)
		(void)snprintf(ret_text, ES_DURATION_TEXT_MAX, "%s%s", sign, seconds);
	else if (minutes < 60)
		(void)snprintf(ret_text, ES_DURATION_TEXT_MAX, "%s%llum%s", sign,
			       (unsigned long long)minutes, seconds);
	else
		(void)snprintf(ret_text, ES_DURATION_TEXT_MAX, "%s%lluh%llum%s", sign,
			       (unsigned long long)(minutes / 60),
			       (unsigned long long)(minutes % 60), seconds);
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

enum {
	NAME_MAX_COMPARED = 80
}; /* the longest flag has 49 letters; what is cut off cannot be near */

size_t es_value_edit_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_COMPARED + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t a_len = strnlen(a, NAME_MAX_COMPARED), b_len = strnlen(b, NAME_MAX_COMPARED);

	for (size_t j = 0; j <= b_len; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *recycled = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = min3(last[j] + 1, row[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = recycled;
	}
	return last[b_len];
}

size_t es_value_edit_distance_far(const char *name)
{
	return strlen(name) / 3 + 2;
}
