#include "ctl/write.h"
#include "ctl/yaml_json.h"

/* put, apply and delete of documents; patch and delete by name. */
#define WHERE_MAX 400

/* ---- documents ----------------------------------------------------------------------------- */

typedef int (*send_document)(struct es_ctl_writer *w, const struct es_ctl_document *document,
			     Engenho__V1__Key *key, ProtobufCBinaryData value, const char *where);

/* The version that a document says it is of. False after a complaint. */
static bool version_of(const struct es_ctl_document *document, const char *where, int64_t *ret)
{
	const struct es_json *metadata = es_json_get(&document->value, "metadata");
	struct es_slice text = es_json_as_string(es_json_get(metadata, "resourceVersion"));
	int64_t number = 0;
	bool good = text.len > 0;

	for (size_t i = 0; good && i < text.len; i++)
		good = text.data[i] >= '0' && text.data[i] <= '9' &&
		       !__builtin_mul_overflow(number, 10, &number) &&
		       !__builtin_add_overflow(number, text.data[i] - '0', &number);
	*ret = number;
	if (!good)
		(void)es_ctl_fail_key(ES_CTL_INVALID, where, &document->key,
				      "metadata.resourceVersion, which --check-version needs, is "
				      "missing or no version");
	return good;
}

static int send_one(struct es_ctl_writer *w, const struct es_ctl_document *document,
		    send_document send)
{
	Engenho__V1__Key *key = es_ctl_pb_key(&document->key, &w->arena);
	ProtobufCBinaryData value;
	char where[WHERE_MAX];
	struct es_buf buf;
	int status;

	es_ctl_document_where(document, where, sizeof(where));
	if (w->check_version) {
		w->has_expected = true;
		if (!version_of(document, where, &w->expected))
			return ES_CTL_INVALID;
	}
	es_buf_init(&buf, es_mem_default());
	if (key == NULL || es_json_write(&buf, &document->value) < 0) {
		status = es_ctl_out_of_memory();
	} else {
		value = (ProtobufCBinaryData){buf.len, buf.data};
		status = send(w, document, key, value, where);
	}
	es_buf_close(&buf);
	return status;
}

/* All documents are read and checked before the first is sent; then each is on its own. */
static int send_all(const struct es_ctl_options *options, struct es_ctl_writer *w,
		    send_document send)
{
	struct es_ctl_progress progress = {.what = "documents"};
	struct es_ctl_documents documents;
	int status = es_ctl_documents_read(&w->files, options, &documents);

	if (status == ES_CTL_OK && w->has_expected && documents.count != 1)
		status = es_ctl_usage("--expected is of one document; --check-version is of many",
				      "");
	else if (status != ES_CTL_OK && documents.count > 0)
		(void)es_ctl_fail("nothing was sent");
	if (status == ES_CTL_OK)
		status = es_ctl_writer_open(options, w);
	if (status != ES_CTL_OK) {
		es_ctl_documents_close(&documents);
		return status;
	}
	for (size_t i = 0; i < documents.count; i++) {
		int one = send_one(w, &documents.items[i], send);

		status = es_ctl_worse(status, one);
		es_arena_reset(&w->arena);
		if (documents.count > 100 && (!w->is_table || !es_ctl_may_color(stdout)))
			es_ctl_progress(&progress, i + 1, documents.count);
		if (one == ES_CTL_UNAVAILABLE && i + 1 < documents.count) {
			(void)es_ctl_fail("%zu more were not sent", documents.count - i - 1);
			break;
		}
	}
	es_ctl_progress_end(&progress);
	es_ctl_writer_close(w);
	es_ctl_documents_close(&documents);
	return status;
}

static int parse_files(struct es_ctl_writer *w, int argc, char **argv,
		       const struct es_ctl_flag *flags)
{
	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0)
		return ES_CTL_USAGE;
	if (argc > 0)
		return es_ctl_usage("files are named by -f, not alone: ", argv[0]);
	if (w->files.count == 0)
		return es_ctl_usage("which file? -f FILE, or -f - for standard input", "");
	return es_ctl_writer_check(w);
}

/* ---- put ----------------------------------------------------------------------------------- */

static int send_put(struct es_ctl_writer *w, const struct es_ctl_document *document,
		    Engenho__V1__Key *key, ProtobufCBinaryData value, const char *where)
{
	Engenho__V1__PutRequest request = ENGENHO__V1__PUT_REQUEST__INIT;

	request.key = key;
	request.value = value;
	request.reason = w->reason;
	if (w->has_expected) {
		request.has_expected_case = ENGENHO__V1__PUT_REQUEST__HAS_EXPECTED_EXPECTED;
		request.expected = w->expected;
	}
	return es_ctl_write(w, "Put", &request.base, &document->key, where);
}

static int put(const struct es_ctl_options *options, int argc, char **argv)
{
	struct es_ctl_writer w = {.force = false};
	const struct es_ctl_flag flags[] = {
		{.name = "--filename", .alias = "-f", .list = &w.files},
		{.name = "--output", .alias = "-o", .value = &w.output},
		{.name = "--expected", .value = &w.expected_text},
		{.name = "--check-version", .given = &w.check_version},
		{.name = "--reason", .value = &w.reason_text},
		{0},
	};
	int status = parse_files(&w, argc, argv, flags);

	return status == ES_CTL_OK ? send_all(options, &w, send_put) : status;
}

const struct es_ctl_verb es_ctl_put = {
	.name = "put",
	.operands = "-f FILE...",
	.brief = "create or replace resources",
	.more = "Files are YAML or JSON, with one document or many, and lists; apiVersion, kind "
		"and "
		"metadata say which\n"
		"resource each is. All are checked before the first is sent. Then each is "
		"reported, and the exit status is\n"
		"the worst. When no member answers, those behind are not sent: exit status 6.\n"
		"  -f, --filename FILE   what to put, - for standard input; may be given more than "
		"once\n"
		"  -o, --output FORMAT   json, yaml or name: print the resources as they are "
		"afterwards\n"
		"  --expected N          only if the resource is there with this version\n"
		"  --check-version       only if it has the metadata.resourceVersion that its "
		"document has\n"
		"  --reason REASON       operator (default), controller, garbage_collector, "
		"admission, scheduler: kept in\n"
		"                        the log\n",
	.example = "engenhoctl get cm/web -o yaml | sed s/blue/green/ | engenhoctl put -f - "
		   "--check-version",
	.run = put,
};

/* ---- apply --------------------------------------------------------------------------------- */

static int send_apply(struct es_ctl_writer *w, const struct es_ctl_document *document,
		      Engenho__V1__Key *key, ProtobufCBinaryData value, const char *where)
{
	Engenho__V1__PatchRequest request = ENGENHO__V1__PATCH_REQUEST__INIT;

	request.key = key;
	request.patch = value;
	request.type = ENGENHO__V1__PATCH_TYPE__APPLY;
	request.reason = w->reason;
	request.field_manager = (char *)(uintptr_t)w->manager;
	request.force = w->force;
	return es_ctl_write(w, "Patch", &request.base, &document->key, where);
}

static int apply(const struct es_ctl_options *options, int argc, char **argv)
{
	struct es_ctl_writer w = {.manager = "engenhoctl"};
	const struct es_ctl_flag flags[] = {
		{.name = "--filename", .alias = "-f", .list = &w.files},
		{.name = "--output", .alias = "-o", .value = &w.output},
		{.name = "--field-manager", .value = &w.manager},
		{.name = "--force-conflicts", .given = &w.force},
		{.name = "--reason", .value = &w.reason_text},
		{0},
	};
	int status = parse_files(&w, argc, argv, flags);

	return status == ES_CTL_OK ? send_all(options, &w, send_apply) : status;
}

const struct es_ctl_verb es_ctl_apply = {
	.name = "apply",
	.operands = "-f FILE...",
	.brief = "server-side apply: set the fields that a manager cares for",
	.more = "The store keeps who has set which field. What this manager applied before and "
		"leaves out now is removed;\n"
		"a field that another manager owns is a conflict (exit status 4), which is told "
		"with its cause. Files are\n"
		"as for put.\n"
		"  -f, --filename FILE   what to apply, - for standard input; may be given more "
		"than once\n"
		"  --field-manager NAME  who applies (default: engenhoctl)\n"
		"  --force-conflicts     take fields over that others own\n"
		"  -o, --output FORMAT   json, yaml or name: print the resources as they are "
		"afterwards\n"
		"  --reason REASON       as for put\n",
	.example = "engenhoctl apply -f deployment.yaml --field-manager deploy-bot",
	.run = apply,
};

/* ---- patch --------------------------------------------------------------------------------- */

/* The patch as JSON, from YAML or JSON. ES_CTL_OK, or the exit status after a complaint. */
static int read_patch(struct es_slice text, const char *what, struct es_arena *arena,
		      struct es_buf *ret_json)
{
	struct es_ctl_yaml_document *documents;
	struct es_json_error error;
	struct es_json value;
	char errmsg[300];
	size_t count;
	int rc = es_json_parse(text, ES_JSON_DEPTH_MAX, arena, &value, &error);

	if (rc == ES_EDECODE) {
		rc = es_ctl_yaml_parse(text, arena, &documents, &count, errmsg, sizeof(errmsg));
		if (rc == ES_EDECODE) {
			(void)es_ctl_fail("%s: %s", what, errmsg);
			return ES_CTL_INVALID;
		}
		if (rc == 0 && count != 1) {
			(void)es_ctl_fail("%s: one document is expected, there are %zu", what,
					  count);
			return ES_CTL_INVALID;
		}
		if (rc == 0)
			value = documents[0].value;
	}
	if (rc == 0 && value.type != ES_JSON_OBJECT && value.type != ES_JSON_ARRAY) {
		(void)es_ctl_fail("%s: a patch is an object, or a list of JSON patch", what);
		return ES_CTL_INVALID;
	}
	if (rc == 0)
		rc = es_json_write(ret_json, &value);
	return rc < 0 ? es_ctl_out_of_memory() : ES_CTL_OK;
}

struct patching {
	struct es_ctl_writer w;
	struct es_ctl_target target;
	const char *patch, *file, *type;
	Engenho__V1__PatchType kind;
};

static int parse_patch(const struct es_ctl_options *options, int argc, char **argv,
		       struct patching *p)
{
	static const char *const types[] = {"merge", "json", "strategic", "apply"};
	const struct es_ctl_flag flags[] = {
		{.name = "--patch", .alias = "-p", .value = &p->patch},
		{.name = "--patch-file", .value = &p->file},
		{.name = "--type", .value = &p->type},
		{.name = "--field-manager", .value = &p->w.manager},
		{.name = "--force-conflicts", .given = &p->w.force},
		{.name = "--output", .alias = "-o", .value = &p->w.output},
		{.name = "--expected", .value = &p->w.expected_text},
		{.name = "--reason", .value = &p->w.reason_text},
		{0},
	};
	int status;
	size_t i = 0;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0)
		return ES_CTL_USAGE;
	while (i < 4 && strcmp(p->type, types[i]) != 0)
		i++;
	if (i == 4)
		return es_ctl_usage("--type is merge, json, strategic or apply, not ", p->type);
	p->kind = (Engenho__V1__PatchType)i;
	if ((p->patch == NULL) == (p->file == NULL))
		return es_ctl_usage("a patch is given by -p or by --patch-file", "");
	if (p->w.force && p->kind != ENGENHO__V1__PATCH_TYPE__APPLY)
		return es_ctl_usage("--force-conflicts goes with --type apply", "");
	status = es_ctl_target_parse(options, argc, argv, &p->target);
	if (status != ES_CTL_OK)
		return status;
	if (p->target.name_count != 1)
		return es_ctl_usage("one NAME is patched", "");
	if (p->w.manager == NULL && p->kind == ENGENHO__V1__PATCH_TYPE__APPLY)
		p->w.manager = "engenhoctl";
	return es_ctl_writer_check(&p->w);
}

static int send_patch(struct patching *p, const struct es_buf *json)
{
	Engenho__V1__PatchRequest request = ENGENHO__V1__PATCH_REQUEST__INIT;
	struct es_ctl_writer *w = &p->w;
	struct es_resource_key key;

	if (!es_ctl_target_key(w->store.options, &p->target, 0, &key))
		return ES_CTL_USAGE;
	request.key = es_ctl_pb_key(&key, &w->arena);
	if (request.key == NULL)
		return es_ctl_out_of_memory();
	request.patch = (ProtobufCBinaryData){json->len, json->data};
	request.type = p->kind;
	request.reason = w->reason;
	if (w->manager != NULL)
		request.field_manager = (char *)(uintptr_t)w->manager;
	request.force = w->force;
	if (w->has_expected) {
		request.has_expected_case = ENGENHO__V1__PATCH_REQUEST__HAS_EXPECTED_EXPECTED;
		request.expected = w->expected;
	}
	return es_ctl_write(w, "Patch", &request.base, &key, "");
}

static int patch(const struct es_ctl_options *options, int argc, char **argv)
{
	struct patching p = {.type = "strategic"};
	struct es_slice text;
	struct es_arena arena;
	struct es_buf json;
	int status = parse_patch(options, argc, argv, &p);

	if (status != ES_CTL_OK)
		return status;
	es_arena_init(&arena, es_mem_default(), 16384);
	es_buf_init(&json, es_mem_default());
	text = p.patch != NULL ? es_slice_str(p.patch) : es_slice(NULL, 0);
	if (p.file != NULL)
		status = es_ctl_read_file(p.file, &arena, &text);
	if (status == ES_CTL_OK)
		status = read_patch(text, p.file != NULL ? p.file : "--patch", &arena, &json);
	if (status == ES_CTL_OK)
		status = es_ctl_writer_open(options, &p.w);
	if (status == ES_CTL_OK) {
		status = send_patch(&p, &json);
		es_ctl_writer_close(&p.w);
	}
	es_buf_close(&json);
	es_arena_close(&arena);
	return status;
}

const struct es_ctl_verb es_ctl_patch = {
	.name = "patch",
	.operands = "KIND NAME | KIND/NAME",
	.brief = "change a part of a resource",
	.more = "A patch that cannot be applied changes nothing: exit status 5, and the reason.\n"
		"  -p, --patch TEXT      the patch, JSON or YAML\n"
		"  --patch-file FILE     the same from a file, - for standard input\n"
		"  --type TYPE           strategic (default): lists of built-in kinds are merged "
		"by their keys;\n"
		"                        merge: RFC 7396; json: RFC 6902; apply: as "
		"'engenhoctl apply'\n"
		"  --expected N          only if the resource is there with this version\n"
		"  --field-manager NAME  who changes it\n"
		"  --force-conflicts     with --type apply: take fields over that others own\n"
		"  -o, --output FORMAT   json, yaml or name: print the resource as it is "
		"afterwards\n"
		"  --reason REASON       as for put\n",
	.example = "engenhoctl patch deploy web -p '{\"spec\":{\"replicas\":3}}'",
	.run = patch,
};

/* ---- delete -------------------------------------------------------------------------------- */

static int delete_key(struct es_ctl_writer *w, const struct es_resource_key *key, const char *where)
{
	Engenho__V1__DeleteRequest request = ENGENHO__V1__DELETE_REQUEST__INIT;

	request.key = es_ctl_pb_key(key, &w->arena);
	if (request.key == NULL)
		return es_ctl_out_of_memory();
	request.reason = w->reason;
	if (w->has_expected) {
		request.has_expected_case = ENGENHO__V1__DELETE_REQUEST__HAS_EXPECTED_EXPECTED;
		request.expected = w->expected;
	}
	return es_ctl_write(w, "Delete", &request.base, key, where);
}

static int send_delete(struct es_ctl_writer *w, const struct es_ctl_document *document,
		       Engenho__V1__Key *key, ProtobufCBinaryData value, const char *where)
{
	(void)key;
	(void)value;
	return delete_key(w, &document->key, where);
}

static int delete_names(const struct es_ctl_options *options, struct es_ctl_writer *w,
			const struct es_ctl_target *target)
{
	int status = es_ctl_writer_open(options, w);

	if (status != ES_CTL_OK)
		return status;
	for (int i = 0; i < target->name_count; i++) {
		struct es_resource_key key;

		status = es_ctl_worse(status, es_ctl_target_key(options, target, i, &key)
						      ? delete_key(w, &key, "")
						      : ES_CTL_USAGE);
		es_arena_reset(&w->arena);
	}
	es_ctl_writer_close(w);
	return status;
}

static int delete (const struct es_ctl_options *options, int argc, char **argv)
{
	struct es_ctl_writer w = {.force = false};
	const struct es_ctl_flag flags[] = {
		{.name = "--filename", .alias = "-f", .list = &w.files},
		{.name = "--output", .alias = "-o", .value = &w.output},
		{.name = "--expected", .value = &w.expected_text},
		{.name = "--ignore-not-found", .given = &w.ignore_not_found},
		{.name = "--reason", .value = &w.reason_text},
		{0},
	};
	struct es_ctl_target target;
	int status;

	argc = es_ctl_parse(argc, argv, flags);
	if (argc < 0)
		return ES_CTL_USAGE;
	status = es_ctl_writer_check(&w);
	if (status != ES_CTL_OK)
		return status;
	if (w.files.count > 0 && argc > 0)
		return es_ctl_usage("names or -f, not both: ", argv[0]);
	if (w.files.count > 0)
		return send_all(options, &w, send_delete);
	status = es_ctl_target_parse(options, argc, argv, &target);
	if (status != ES_CTL_OK)
		return status;
	if (target.name_count == 0)
		return es_ctl_usage("which NAME?", "");
	if (w.has_expected && target.name_count > 1)
		return es_ctl_usage("--expected is of one resource", "");
	return delete_names(options, &w, &target);
}

const struct es_ctl_verb es_ctl_delete = {
	.name = "delete",
	.operands = "KIND NAME... | KIND/NAME... | -f FILE...",
	.brief = "delete resources",
	.more = "A resource that has finalizers stays until they are gone; that is told, and is no "
		"failure. One that is not\n"
		"there is: exit status 3.\n"
		"  -f, --filename FILE   those that are in a file, - for standard input\n"
		"  --ignore-not-found    it is well when it is not there\n"
		"  --expected N          only if it has this version\n"
		"  -o, --output FORMAT   json, yaml or name: print their last state\n"
		"  --reason REASON       as for put\n",
	.example = "engenhoctl delete pods web-0 web-1 -n shop",
	.run = delete,
};
