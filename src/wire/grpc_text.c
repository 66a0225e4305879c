#include "wire/grpc_text.h"

#define TIMEOUT_DIGITS_MAX 8

static uint64_t unit_ns(uint8_t unit)
{
	switch (unit) {
	case 'H': return UINT64_C(3600000000000);
	case 'M': return UINT64_C(60000000000);
	case 'S': return UINT64_C(1000000000);
	case 'm': return UINT64_C(1000000);
	case 'u': return UINT64_C(1000);
	case 'n': return 1;
	default: return 0;
	}
}

int es_grpc_timeout_parse(struct es_slice text, uint64_t *ret_timeout_ns)
{
	uint64_t amount = 0;
	uint64_t unit;

	if (text.len < 2 || text.len > TIMEOUT_DIGITS_MAX + 1)
		return ES_EINVAL;
	unit = unit_ns(text.data[text.len - 1]);
	if (unit == 0)
		return ES_EINVAL;
	for (size_t i = 0; i < text.len - 1; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return ES_EINVAL;
		amount = amount * 10 + (uint64_t)(text.data[i] - '0');
	}
	*ret_timeout_ns = amount > INT64_MAX / unit ? INT64_MAX : amount * unit;
	return 0;
}

static bool is_plain(uint8_t c)
{
	return c >= ' ' && c <= '~' && c != '%';
}

size_t es_grpc_percent_size(struct es_slice text)
{
	size_t size = text.len;

	for (size_t i = 0; i < text.len; i++)
		if (!is_plain(text.data[i]))
			size += 2;
	return size;
}

uint8_t *es_grpc_percent_write(uint8_t *out, struct es_slice text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (is_plain(c)) {
			*out++ = c;
			continue;
		}
		*out++ = '%';
		*out++ = (uint8_t)hex[c >> 4];
		*out++ = (uint8_t)hex[c & 15];
	}
	return out;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

size_t es_grpc_percent_decode(struct es_slice text, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '%' && text.len - i > 2 && hex_digit(text.data[i + 1]) >= 0 &&
		    hex_digit(text.data[i + 2]) >= 0) {
			c = (uint8_t)(hex_digit(text.data[i + 1]) << 4 |
				      hex_digit(text.data[i + 2]));
			i += 2;
		}
		out[n++] = c;
	}
	return n;
}
