#include "mutate.h"

static size_t below(struct es_rng *rng, size_t bound)
{
	return (size_t)es_rng_below(rng, bound);
}

static uint8_t interesting(struct es_rng *rng)
{
	static const uint8_t bytes[] = {0,    1,    2,	  0x08, 0x0a, 0x12, 0x1a,
					0x22, 0x7f, 0x80, 0x81, 0xfe, 0xff};

	return bytes[below(rng, sizeof(bytes))];
}

/* Repeat the run [from, from + run) behind itself. */
static void double_run(uint8_t *data, size_t *len, size_t cap, size_t from, size_t run)
{
	if (run > cap - *len)
		run = cap - *len;
	memmove(data + from + run, data + from, *len - from);
	*len += run;
}

static void mutate_once(struct es_rng *rng, uint8_t *data, size_t *len, size_t cap)
{
	size_t at = below(rng, *len);
	size_t run = 1 + below(rng, *len - at < 16 ? *len - at : 16);

	switch (es_rng_below(rng, 8)) {
	case 0: data[at] ^= (uint8_t)(1U << es_rng_below(rng, 8)); break;
	case 1: data[at] = (uint8_t)es_rng_next(rng); break;
	case 2: data[at] = interesting(rng); break;
	case 3: /* cut out */
		memmove(data + at, data + at + run, *len - at - run);
		*len -= run;
		break;
	case 4: double_run(data, len, cap, at, run); break;
	case 5: /* one byte more */
		double_run(data, len, cap, at, 1);
		data[at] = interesting(rng);
		break;
	case 6: /* a run over another */
		memmove(data + below(rng, *len - run + 1), data + at, run);
		break;
	default: /* the end cut off, not as often */
		if (es_rng_below(rng, 4) == 0)
			*len = at;
		break;
	}
}

void mutate(struct es_rng *rng, uint8_t *data, size_t *len, size_t cap)
{
	for (uint64_t n = 1 + es_rng_below(rng, 4); n > 0 && *len > 0; n--)
		mutate_once(rng, data, len, cap);
}
