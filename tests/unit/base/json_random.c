#include "json_random.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"

static uint64_t below(struct es_rng *rng, uint64_t bound)
{
	return es_rng_below(rng, bound);
}

static struct es_slice random_string(struct es_rng *rng, struct es_arena *arena)
{
	static const char *const pieces[] = {
		"a",
		"b",
		"podinfo",
		"\"",
		"\\",
		"/",
		"\n",
		"\x01",
		"\x1f",
		"\x7f",
		"\t\r\b\f",
		"\xc3\xa4",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
		"\xed\x9f\xbf",
		"\xf4\x8f\xbf\xbf",
		"12345678",
		"\\u0000",
	};
	uint8_t bytes[120];
	uint8_t *copy;
	size_t len = 0;

	for (uint64_t n = below(rng, 3) * below(rng, 4); n > 0; n--) {
		const char *piece = pieces[below(rng, ES_ARRAY_LEN(pieces))];

		memcpy(bytes + len, piece, strlen(piece));
		len += strlen(piece);
		if (below(rng, 10) == 0)
			bytes[len++] = 0;
	}
	copy = es_arena_alloc(arena, len);
	ES_ASSERT(copy != NULL);
	memcpy(copy, bytes, len);
	return es_slice(copy, len);
}

double json_random_double(struct es_rng *rng)
{
	double number;
	uint64_t bits = es_rng_next(rng);

	switch (below(rng, 6)) {
	case 0: return ldexp(1, (int)below(rng, 2098) - 1074) * (bits % 2 == 0 ? 1 : -1);
	case 1: return (double)(int64_t)bits / (double)(UINT64_C(1) << below(rng, 64));
	case 2: bits &= UINT64_C(0x800fffffffffffff) >> below(rng, 52); break; /* subnormal */
	case 3: {                                                              /* few digits */
		char text[40];

		(void)snprintf(text, sizeof(text), "%llue%d",
			       (unsigned long long)below(rng, 100000), (int)below(rng, 640) - 330);
		(void)sscanf(text, "%lf", &number);
		return isfinite(number) ? number : 0;
	}
	case 4: /* the neighbour of a power of two */
		return nextafter(ldexp(1, (int)below(rng, 2098) - 1074),
				 bits % 2 == 0 ? 0 : INFINITY);
	default: break;
	}
	memcpy(&number, &bits, sizeof(number));
	return isfinite(number) ? number : -0.0;
}

static struct es_json random_integer(struct es_rng *rng)
{
	uint64_t bits = es_rng_next(rng) >> below(rng, 64);

	if (below(rng, 8) == 0)
		bits = UINT64_MAX - below(rng, 2);
	if (below(rng, 8) == 0)
		bits = (uint64_t)INT64_MAX + below(rng, 3);
	if (below(rng, 3) == 0)
		return es_json_int((int64_t)bits);
	if (bits <= INT64_MAX)
		return es_json_int((int64_t)bits);
	return (struct es_json){.type = ES_JSON_UINT, .u.u64 = bits};
}

static struct es_json random_array(struct es_rng *rng, struct es_arena *arena, unsigned depth)
{
	uint32_t count = (uint32_t)below(rng, 5);
	struct es_json *items = es_arena_alloc(arena, count * sizeof(*items));

	ES_ASSERT(items != NULL);
	for (uint32_t i = 0; i < count; i++)
		items[i] = json_random_value(rng, arena, depth - 1);
	return (struct es_json){.type = ES_JSON_ARRAY, .count = count, .u.items = items};
}

static struct es_json random_object(struct es_rng *rng, struct es_arena *arena, unsigned depth)
{
	uint32_t count = (uint32_t)below(rng, below(rng, 10) == 0 ? 40 : 6);
	struct es_json_member *members = es_arena_alloc(arena, count * sizeof(*members));

	ES_ASSERT(members != NULL);
	for (uint32_t i = 0; i < count; i++)
		members[i] = (struct es_json_member){random_string(rng, arena),
						     json_random_value(rng, arena, depth - 1)};
	return es_json_object_of(members, count);
}

struct es_json json_random_value(struct es_rng *rng, struct es_arena *arena, unsigned depth)
{
	switch (below(rng, depth > 0 ? 10 : 6)) {
	case 0: return es_json_null();
	case 1: return es_json_bool(below(rng, 2) == 0);
	case 2: return random_integer(rng);
	case 3:
		return (struct es_json){.type = ES_JSON_DOUBLE,
					.u.number = json_random_double(rng)};
	case 4:
	case 5: return es_json_string(random_string(rng, arena));
	case 6:
	case 7: return random_array(rng, arena, depth);
	default: return random_object(rng, arena, depth);
	}
}

static void put(struct es_buf *buf, const char *text)
{
	ES_ASSERT(es_buf_append_str(buf, text) == 0);
}

static void put_space(struct es_rng *rng, struct es_buf *buf)
{
	static const char *const spaces[] = {"", "", "", " ", "\n", "\t \r\n"};

	put(buf, spaces[below(rng, ES_ARRAY_LEN(spaces))]);
}

static void put_string(struct es_rng *rng, struct es_buf *buf, struct es_slice string)
{
	put(buf, "\"");
	for (size_t i = 0; i < string.len; i++) {
		uint8_t c = string.data[i];

		if (c < ' ' || c == '"' || c == '\\' || (c < 0x80 && below(rng, 10) == 0))
			ES_ASSERT(es_buf_printf(buf, below(rng, 2) == 0 ? "\\u%04x" : "\\u%04X",
						(unsigned)c) == 0);
		else
			ES_ASSERT(es_buf_append_u8(buf, c) == 0);
	}
	put(buf, "\"");
}

static void put_members(struct es_rng *rng, struct es_buf *buf, const struct es_json *object)
{
	uint32_t from = object->count == 0 ? 0 : (uint32_t)below(rng, object->count);

	put(buf, "{");
	put_space(rng, buf);
	for (uint32_t i = 0; i < object->count; i++) {
		const struct es_json_member *member =
			&object->u.members[(from + i) % object->count];

		if (i > 0)
			put(buf, ",");
		put_space(rng, buf);
		if (below(rng, 8) == 0) {
			put_string(rng, buf, member->name);
			put(buf, ":[1,{}],");
		}
		put_string(rng, buf, member->name);
		put_space(rng, buf);
		put(buf, ":");
		json_random_text(rng, buf, &member->value);
	}
	put(buf, "}");
}

void json_random_text(struct es_rng *rng, struct es_buf *buf, const struct es_json *value)
{
	put_space(rng, buf);
	switch (value->type) {
	case ES_JSON_STRING: put_string(rng, buf, value->u.string); break;
	case ES_JSON_OBJECT: put_members(rng, buf, value); break;
	case ES_JSON_ARRAY:
		put(buf, "[");
		put_space(rng, buf);
		for (uint32_t i = 0; i < value->count; i++) {
			if (i > 0)
				put(buf, ",");
			json_random_text(rng, buf, &value->u.items[i]);
		}
		put(buf, "]");
		break;
	default: ES_ASSERT(es_json_write(buf, value) == 0); break;
	}
	put_space(rng, buf);
}

void json_damage(struct es_rng *rng, uint8_t *text, size_t *len, size_t cap)
{
	static const uint8_t meaning[] = "{}[],:\"\\\"-+.eE019tfnu /\n\x01\x80\xc3\xed\xf4";

	for (uint64_t n = 1 + below(rng, 3); n > 0 && *len > 0; n--) {
		size_t at = (size_t)below(rng, *len);
		size_t run = 1 + (size_t)below(rng, *len - at < 9 ? *len - at : 9);
		uint8_t c = meaning[below(rng, sizeof(meaning))]; /* its NUL as well */

		switch (below(rng, 4)) {
		case 0: text[at] = c; break;
		case 1: /* one more */
			if (*len < cap) {
				memmove(text + at + 1, text + at, *len - at);
				text[at] = c;
				++*len;
			}
			break;
		case 2: /* some less */
			memmove(text + at, text + at + run, *len - at - run);
			*len -= run;
			break;
		default: /* a run over another */
			memmove(text + below(rng, *len - run + 1), text + at, run);
			break;
		}
	}
}
