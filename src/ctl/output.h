#ifndef ES_CTL_OUTPUT_H
#define ES_CTL_OUTPUT_H

#include <stdio.h>

#include "resource/key.h"

/* How resources are printed. */
enum es_ctl_format {
	ES_CTL_TABLE,
	ES_CTL_WIDE,
	ES_CTL_JSON,
	ES_CTL_YAML,
	ES_CTL_NAME,
};

/* "table", "wide", "json", "yaml", "name"; NULL is the table. False after a complaint. */
bool es_ctl_parse_format(const char *text, enum es_ctl_format *ret_format);

struct es_ctl_item {
	struct es_resource_key key;
	struct es_slice value; /* JSON */
	int64_t mod_revision;
};

#define ES_CTL_COLUMNS_MAX 12

/* To standard output. JSON and YAML are a List with items, or with `single` the one resource; with `stream` one
 * document for each, that of JSON on one line. */
struct es_ctl_printer {
	enum es_ctl_format format;
	bool single, stream, with_namespace;
	bool with_kind; /* names in tables are "deployment.apps/web" */
	/* The rest is the printer's. */
	uint64_t count;
	struct es_buf rows; /* cells, each ended by a NUL */
	size_t row_count;
	const struct es_ctl_columns *columns;
	size_t widths[ES_CTL_COLUMNS_MAX];
	bool headed;
	bool printed; /* a table, before this one */
	int64_t now_s;
};

void es_ctl_print_begin(struct es_ctl_printer *printer);
/* `event`: "ADDED" and so on, of a watch; else NULL. 0, ES_ENOMEM. */
int es_ctl_print_item(struct es_ctl_printer *printer, const char *event,
		      const struct es_ctl_item *item);
/* Print the lines of a table that were kept to find how wide it is. */
void es_ctl_print_flush(struct es_ctl_printer *printer);
/* What follows is of another kind: it comes in a table of its own. */
void es_ctl_print_next_table(struct es_ctl_printer *printer);
/* `revision`: of the state that a List was read from. */
void es_ctl_print_end(struct es_ctl_printer *printer, int64_t revision);

/* Over several lines, four spaces deep, without a line break at the end. ES_ENOMEM. */
int es_ctl_json_pretty(struct es_buf *buf, const struct es_json *value, unsigned indent);

/* Whether colours may be used there: it is a terminal, and NO_COLOR is not set. */
bool es_ctl_may_color(FILE *file);
#define ES_CTL_BOLD   "\033[1m"
#define ES_CTL_RED    "\033[31m"
#define ES_CTL_GREEN  "\033[32m"
#define ES_CTL_YELLOW "\033[33m"
#define ES_CTL_PLAIN  "\033[0m"

/* A line on standard error that tells how far long work has come, when that is a terminal. `total` 0: not known. */
struct es_ctl_progress {
	const char *what;
	uint64_t done, total;
	uint64_t last_ms;
	bool shown;
};
void es_ctl_progress(struct es_ctl_progress *progress, uint64_t done, uint64_t total);
/* Take the line away again. */
void es_ctl_progress_end(struct es_ctl_progress *progress);

#endif
