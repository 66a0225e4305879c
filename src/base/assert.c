#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void es_assert_failed(const char *condition, const char *file, int line,
				const char *function)
{
	(void)fprintf(stderr, "engenho-store: broken invariant in %s (%s:%d): %s\n", function, file,
		      line, condition);
	abort();
}
