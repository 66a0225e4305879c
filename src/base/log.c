#include "base/log.h"

void es_log_write(const struct es_log *log, enum es_log_level level, const char *caller,
		  const char *message, const struct es_log_field *fields, size_t field_count)
{
	if (log == NULL || level < log->level)
		return;
	log->write(log->ctx, level, caller, message, fields, field_count);
}
