#include "ctl/target.h"

#include <stdlib.h>

#include "ctl/args.h"
#include "ctl/documents.h"

static int unknown_kind(const char *text)
{
	return es_ctl_usage("unknown kind (of kinds that are not built in: group/version/Kind): ",
			    text);
}

static void set_key(const struct es_ctl_options *options, const struct es_ctl_kind *kind,
		    struct es_resource_key *ret_key)
{
	*ret_key = (struct es_resource_key){
		.group = kind->group, .version = kind->version, .kind = kind->kind};
	ret_key->has_ns = es_ctl_namespace(options, kind, &ret_key->ns);
	if (!ret_key->has_ns)
		ret_key->ns = es_slice("", 0);
}

int es_ctl_target_parse(const struct es_ctl_options *options, int argc, char **argv,
			struct es_ctl_target *ret_target)
{
	struct es_ctl_target *t = ret_target;
	struct es_slice first, name;

	*t = (struct es_ctl_target){.named = false};
	if (argc == 0)
		return es_ctl_usage("of which KIND?", "");
	first = es_slice_str(argv[0]);
	if (es_ctl_kind_parse(first, &t->kind)) {
		t->names = argv + 1;
		t->name_count = argc - 1;
	} else if (es_ctl_kind_parse_named(first, &t->kind, &name)) {
		t->named = true;
		t->names = argv;
		t->name_count = argc;
	} else {
		return unknown_kind(argv[0]);
	}
	set_key(options, &t->kind, &t->key);
	for (int i = 0; i < t->name_count; i++) {
		struct es_resource_key key;

		if (!es_ctl_target_key(options, t, i, &key))
			return ES_CTL_USAGE;
	}
	return ES_CTL_OK;
}

bool es_ctl_target_key(const struct es_ctl_options *options, const struct es_ctl_target *t, int i,
		       struct es_resource_key *ret_key)
{
	struct es_slice text = es_slice_str(t->names[i]), name = text;
	struct es_ctl_kind kind = t->kind;

	if (t->named && !es_ctl_kind_parse_named(text, &kind, &name)) {
		(void)unknown_kind(t->names[i]);
		return false;
	}
	if (name.len == 0 || memchr(name.data, '/', name.len) != NULL) {
		(void)es_ctl_usage("not a name: ", t->names[i]);
		return false;
	}
	set_key(options, &kind, ret_key);
	ret_key->name = name;
	return true;
}

struct es_ctl_item es_ctl_item_of(const Engenho__V1__Resource *resource)
{
	return (struct es_ctl_item){es_ctl_key(resource->key), es_ctl_bytes(resource->value),
				    resource->mod_revision};
}

bool es_ctl_parse_number(const char *what, const char *text, int64_t *ret_number)
{
	int64_t number = 0;
	bool good = *text != '\0';

	for (const char *c = text; good && *c != '\0'; c++)
		good = *c >= '0' && *c <= '9' && !__builtin_mul_overflow(number, 10, &number) &&
		       !__builtin_add_overflow(number, *c - '0', &number);
	if (!good)
		(void)es_ctl_usage(what, text);
	*ret_number = number;
	return good;
}

int es_ctl_fail_key(int status, const char *where, const struct es_resource_key *key,
		    const char *what)
{
	struct es_buf buf;

	es_buf_init(&buf, es_mem_default());
	(void)fprintf(stderr, "engenhoctl: %s%s", where, *where == '\0' ? "" : ": ");
	if (es_ctl_key_write(&buf, key) == 0)
		es_ctl_print_text(stderr, es_buf_slice(&buf));
	(void)fputs(": ", stderr);
	es_ctl_print_text(stderr, es_slice_str(what));
	(void)fputc('\n', stderr);
	es_buf_close(&buf);
	return status;
}
