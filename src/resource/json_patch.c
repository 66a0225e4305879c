#include "resource/patch.h"

#include <inttypes.h>

#include "base/assert.h"
#include "resource/util.h"

/*
 * RFC 6902, with JSON pointers of RFC 6901.
 *
 * Values cannot be changed, and changing one by copying its member list for every operation would make a patch of many
 * operations on a large object cost their product. So the document is a tree of drafts: a container becomes one, an
 * array of entries with room to grow, when an operation first reaches into it; everything else stays the value that it
 * was. In the end drafts become values again.
 *
 * J1. A node has a draft, and its value means nothing, or it has none and is its value.
 * J2. The entries of an object's draft are sorted by name, no two alike.
 * J3. No draft is in two places: what is copied is made a value first.
 * J4. The document is never nested deeper than ES_JSON_DEPTH_MAX.
 *
 * A patch comes from outside and is applied by every member one after the other, so what it may cost is bounded: the
 * number of operations, what copies add, and how much is moved about.
 */
#define OPERATIONS_MAX 10000                /* as kube-apiserver has it */
#define WORK_MAX       (UINT64_C(64) << 20) /* entries moved or walked over, in a patch */

struct draft;

struct node {
	struct es_json value;
	struct draft *draft;
};

struct entry {
	struct es_slice name; /* of an object's member */
	struct node node;
};

struct draft {
	enum es_json_type type;
	uint32_t count, cap;
	struct entry *entries;
};

struct pointer {
	struct es_slice text; /* for messages */
	size_t count;
	struct es_slice tokens[ES_JSON_DEPTH_MAX];
};

struct patcher {
	struct es_arena *arena;
	struct node root;
	uint64_t copy_bytes_left;
	uint64_t work_left;
	char *errmsg;
	size_t errmsg_size;
	size_t index; /* of the operation */
	const char *op;
	struct pointer path, from;
};

#define refuse(patcher, format, ...)                                                               \
	(es_resource_say((patcher)->errmsg, (patcher)->errmsg_size, "operation %zu (%s): " format, \
			 (patcher)->index, (patcher)->op, __VA_ARGS__),                            \
	 ES_EINVAL)
#define NAME(slice) es_resource_say_len(slice), (const char *)(slice).data

static int refuse_at(struct patcher *patcher, const struct pointer *pointer, const char *what)
{
	return refuse(patcher, "%s at \"%.*s\"", what, NAME(pointer->text));
}

static int use(struct patcher *patcher, uint64_t work)
{
	if (work > patcher->work_left)
		return refuse(patcher, "%s", "the patch moves too much");
	patcher->work_left -= work;
	return 0;
}

/* ---- drafts ----------------------------------------------------------------------------- */

static int thaw(struct patcher *patcher, struct node *node)
{
	const struct es_json *value = &node->value;
	struct draft *draft;

	if (node->draft != NULL)
		return 0;
	ES_ASSERT(value->type == ES_JSON_ARRAY || value->type == ES_JSON_OBJECT);
	draft = es_arena_alloc(patcher->arena, sizeof(*draft));
	if (draft == NULL || value->count > UINT32_MAX - 4)
		return ES_ENOMEM;
	*draft = (struct draft){value->type, value->count, value->count + 4, NULL};
	draft->entries = es_arena_alloc(patcher->arena, draft->cap * sizeof(draft->entries[0]));
	if (draft->entries == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < value->count; i++) {
		struct entry *entry = &draft->entries[i];

		*entry = (struct entry){.node.draft = NULL};
		if (value->type == ES_JSON_ARRAY) {
			entry->node.value = value->u.items[i];
		} else {
			entry->name = value->u.members[i].name;
			entry->node.value = value->u.members[i].value;
		}
	}
	node->draft = draft;
	return 0;
}

static int freeze(struct es_arena *arena, struct node *node);

static int freeze_array(struct es_arena *arena, const struct draft *draft,
			struct es_json *ret_value)
{
	struct es_json *items = es_arena_alloc(arena, draft->count * sizeof(*items));

	if (items == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < draft->count; i++) {
		int rc = freeze(arena, &draft->entries[i].node);

		if (rc < 0)
			return rc;
		items[i] = draft->entries[i].node.value;
	}
	*ret_value = (struct es_json){
		.type = ES_JSON_ARRAY, .count = draft->count, .u.items = items};
	return 0;
}

static int freeze_object(struct es_arena *arena, const struct draft *draft,
			 struct es_json *ret_value)
{
	struct es_json_member *members = es_arena_alloc(arena, draft->count * sizeof(*members));

	if (members == NULL)
		return ES_ENOMEM;
	for (uint32_t i = 0; i < draft->count; i++) {
		int rc = freeze(arena, &draft->entries[i].node);

		if (rc < 0)
			return rc;
		members[i].name = draft->entries[i].name;
		members[i].value = draft->entries[i].node.value;
	}
	*ret_value = es_json_object();
	ret_value->count = draft->count;
	ret_value->u.members = members;
	return 0;
}

/* Make the node a value again. */
static int freeze(struct es_arena *arena, struct node *node)
{
	int rc;

	if (node->draft == NULL)
		return 0;
	rc = node->draft->type == ES_JSON_ARRAY ? freeze_array(arena, node->draft, &node->value)
						: freeze_object(arena, node->draft, &node->value);
	if (rc == 0)
		node->draft = NULL;
	return rc;
}

static enum es_json_type type_of(const struct node *node)
{
	return node->draft == NULL ? node->value.type : node->draft->type;
}

static bool is_container(const struct node *node)
{
	return type_of(node) == ES_JSON_ARRAY || type_of(node) == ES_JSON_OBJECT;
}

static uint32_t count_of(const struct node *node)
{
	return node->draft == NULL ? node->value.count : node->draft->count;
}

/* The i-th child of a container. */
static struct node child_of(const struct node *node, uint32_t i, struct es_slice *ret_name)
{
	struct node child = {.draft = NULL};

	if (node->draft != NULL) {
		*ret_name = node->draft->entries[i].name;
		return node->draft->entries[i].node;
	}
	if (node->value.type == ES_JSON_ARRAY) {
		*ret_name = es_slice(NULL, 0);
		child.value = node->value.u.items[i];
	} else {
		*ret_name = node->value.u.members[i].name;
		child.value = node->value.u.members[i].value;
	}
	return child;
}

/*
 * About how many bytes the node is as text, taken from *budget. ES_EINVAL: more than that; ES_ETOO_LARGE: nested deeper
 * than `depth_max`.
 */
static int measure(const struct node *node, size_t depth_max, uint64_t *budget)
{
	uint64_t bytes = 8;

	if (type_of(node) == ES_JSON_STRING)
		bytes += node->value.u.string.len;
	if (bytes > *budget)
		return ES_EINVAL;
	*budget -= bytes;
	if (!is_container(node))
		return 0;
	if (depth_max == 0)
		return ES_ETOO_LARGE;
	for (uint32_t i = 0; i < count_of(node); i++) {
		struct es_slice name;
		struct node child = child_of(node, i, &name);
		int rc;

		if (name.len > *budget)
			return ES_EINVAL;
		*budget -= name.len;
		rc = measure(&child, depth_max - 1, budget);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- comparing -------------------------------------------------------------------------- */

static bool is_number(enum es_json_type type)
{
	return type == ES_JSON_INT || type == ES_JSON_UINT || type == ES_JSON_DOUBLE;
}

/* Is the integer exactly this double? */
static bool integer_is_double(const struct es_json *integer, double number)
{
	if (integer->type == ES_JSON_UINT)
		return number >= 0 && number < 0x1p64 && (uint64_t)number == integer->u.u64 &&
		       (double)(uint64_t)number == number;
	return number >= -0x1p63 && number < 0x1p63 && (int64_t)number == integer->u.i64 &&
	       (double)(int64_t)number == number;
}

/* RFC 6902, 4.6: numbers are equal when their values are: 1 is 1.0. */
static bool scalar_eq(const struct es_json *a, const struct es_json *b)
{
	if (!is_number(a->type) || !is_number(b->type))
		return es_json_eq(a, b);
	if (a->type == ES_JSON_DOUBLE && b->type == ES_JSON_DOUBLE)
		return a->u.number == b->u.number;
	if (a->type == ES_JSON_DOUBLE)
		return integer_is_double(b, a->u.number);
	if (b->type == ES_JSON_DOUBLE)
		return integer_is_double(a, b->u.number);
	return es_json_eq(a, b);
}

static bool node_eq(const struct node *node, const struct es_json *value)
{
	const struct node other = {.value = *value};

	if (!is_container(node))
		return scalar_eq(&node->value, value);
	if (type_of(node) != value->type || count_of(node) != value->count)
		return false;
	for (uint32_t i = 0; i < value->count; i++) {
		struct es_slice a_name, b_name;
		struct node a = child_of(node, i, &a_name), b = child_of(&other, i, &b_name);

		if (!es_slice_eq(a_name, b_name) || !node_eq(&a, &b.value))
			return false;
	}
	return true;
}

/* ---- pointers --------------------------------------------------------------------------- */

/* "~0" and "~1" stand for '~' and '/'. */
static int unescape(struct patcher *patcher, const struct pointer *pointer, struct es_slice raw,
		    struct es_slice *ret_token)
{
	size_t len = 0;
	uint8_t *out;

	*ret_token = raw;
	if (raw.len == 0 || memchr(raw.data, '~', raw.len) == NULL)
		return 0;
	out = es_arena_alloc(patcher->arena, raw.len);
	if (out == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < raw.len; i++) {
		out[len] = raw.data[i];
		if (raw.data[i] == '~') {
			i++;
			if (i == raw.len || (raw.data[i] != '0' && raw.data[i] != '1'))
				return refuse_at(patcher, pointer, "'~' that is no escape");
			out[len] = raw.data[i] == '0' ? '~' : '/';
		}
		len++;
	}
	*ret_token = es_slice(out, len);
	return 0;
}

static int parse_pointer(struct patcher *patcher, const struct es_json *operation,
			 const char *member, struct pointer *ret_pointer)
{
	const struct es_json *value = es_json_get(operation, member);
	struct es_slice rest;

	if (!es_json_is(value, ES_JSON_STRING))
		return refuse(patcher, "\"%s\" is missing or not a string", member);
	rest = value->u.string;
	ret_pointer->text = rest.len == 0 ? ES_SLICE("") : rest;
	ret_pointer->count = 0;
	if (rest.len > 0 && rest.data[0] != '/')
		return refuse_at(patcher, ret_pointer, "a pointer that does not begin with '/'");
	while (rest.len > 0) {
		const uint8_t *begin = rest.data + 1;
		const uint8_t *end = memchr(begin, '/', rest.len - 1);
		size_t len = end == NULL ? rest.len - 1 : (size_t)(end - begin);
		int rc;

		if (ret_pointer->count == ES_ARRAY_LEN(ret_pointer->tokens))
			return refuse_at(patcher, ret_pointer, "nothing is that deep");
		rc = unescape(patcher, ret_pointer, es_slice(begin, len),
			      &ret_pointer->tokens[ret_pointer->count]);
		if (rc < 0)
			return rc;
		ret_pointer->count++;
		rest = es_slice(begin + len, rest.len - 1 - len);
	}
	return 0;
}

/* An index: digits without leading zeros, and at most `max`. */
static bool parse_index(struct es_slice token, uint32_t max, uint32_t *ret_index)
{
	uint64_t index = 0;

	if (token.len == 0 || token.len > 10 || (token.data[0] == '0' && token.len > 1))
		return false;
	for (size_t i = 0; i < token.len; i++) {
		if (token.data[i] < '0' || token.data[i] > '9')
			return false;
		index = index * 10 + (uint64_t)(token.data[i] - '0');
	}
	*ret_index = (uint32_t)index;
	return index <= max;
}

/* Where a member is, or would be. */
static bool find_member(const struct draft *draft, struct es_slice name, uint32_t *ret_index)
{
	uint32_t low = 0, high = draft->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = es_slice_cmp(draft->entries[middle].name, name);

		if (order == 0) {
			*ret_index = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_index = low;
	return false;
}

/* The child of a draft that a token names; NULL: there is none. */
static struct entry *find_child(struct draft *draft, struct es_slice token)
{
	uint32_t index;
	bool found = draft->type == ES_JSON_OBJECT
			     ? find_member(draft, token, &index)
			     : draft->count > 0 && parse_index(token, draft->count - 1, &index);

	return found ? &draft->entries[index] : NULL;
}

/* The node that the first `count` tokens lead to, everything on the way made a draft. */
static int walk(struct patcher *patcher, const struct pointer *pointer, size_t count,
		struct node **ret_node)
{
	struct node *node = &patcher->root;

	for (size_t i = 0; i < count; i++) {
		struct entry *entry = NULL;

		if (is_container(node)) {
			int rc = thaw(patcher, node);

			if (rc < 0)
				return rc;
			entry = find_child(node->draft, pointer->tokens[i]);
		}
		if (entry == NULL)
			return refuse_at(patcher, pointer, "there is nothing");
		node = &entry->node;
	}
	*ret_node = node;
	return 0;
}

/* The container that the pointer's last token names a child of, as a draft. */
static int walk_to_parent(struct patcher *patcher, const struct pointer *pointer,
			  struct draft **ret_draft)
{
	struct node *node;
	int rc = walk(patcher, pointer, pointer->count - 1, &node);

	if (rc < 0)
		return rc;
	if (!is_container(node))
		return refuse_at(patcher, pointer,
				 "neither object nor array is around what would be");
	rc = thaw(patcher, node);
	*ret_draft = node->draft;
	return rc;
}

/* ---- operations ------------------------------------------------------------------------- */

/* Make room for an entry. */
static int insert_entry(struct patcher *patcher, struct draft *draft, uint32_t index)
{
	int rc = use(patcher, draft->count - index + 1);

	if (rc < 0)
		return rc;
	if (draft->count == draft->cap) {
		uint32_t cap = draft->cap > UINT32_MAX / 2 ? UINT32_MAX : draft->cap * 2;
		struct entry *entries = es_arena_alloc(patcher->arena, cap * sizeof(*entries));

		if (entries == NULL || cap == draft->cap)
			return ES_ENOMEM;
		memcpy(entries, draft->entries, draft->count * sizeof(*entries));
		draft->entries = entries;
		draft->cap = cap;
	}
	memmove(&draft->entries[index + 1], &draft->entries[index],
		(draft->count - index) * sizeof(draft->entries[0]));
	draft->count++;
	return 0;
}

static int add(struct patcher *patcher, const struct node *node)
{
	const struct pointer *path = &patcher->path;
	struct es_slice token;
	struct draft *draft;
	uint32_t index = 0;
	int rc;

	if (path->count == 0) {
		patcher->root = *node;
		return 0;
	}
	rc = walk_to_parent(patcher, path, &draft);
	if (rc < 0)
		return rc;
	token = path->tokens[path->count - 1];
	if (draft->type == ES_JSON_OBJECT) {
		if (find_member(draft, token, &index)) {
			draft->entries[index].node = *node;
			return 0;
		}
	} else if (es_slice_eq(token, ES_SLICE("-"))) {
		index = draft->count;
	} else if (!parse_index(token, draft->count, &index)) {
		return refuse_at(patcher, path, "no item can be added");
	}
	rc = insert_entry(patcher, draft, index);
	if (rc < 0)
		return rc;
	draft->entries[index] = (struct entry){.node = *node};
	if (draft->type == ES_JSON_OBJECT)
		draft->entries[index].name = token;
	return 0;
}

static int take_out(struct patcher *patcher, const struct pointer *path, struct node *ret_node)
{
	struct draft *draft;
	struct entry *entry;
	size_t behind;
	int rc;

	if (path->count == 0) { /* what is left of the document then is null */
		*ret_node = patcher->root;
		patcher->root = (struct node){.value = es_json_null()};
		return 0;
	}
	rc = walk_to_parent(patcher, path, &draft);
	if (rc < 0)
		return rc;
	entry = find_child(draft, path->tokens[path->count - 1]);
	if (entry == NULL)
		return refuse_at(patcher, path, "there is nothing");
	behind = draft->count - (size_t)(entry - draft->entries) - 1;
	rc = use(patcher, behind);
	if (rc < 0)
		return rc;
	*ret_node = entry->node;
	memmove(entry, entry + 1, behind * sizeof(*entry));
	draft->count--;
	return 0;
}

/* The node would come to where the path leads: J4, and it is paid for from *budget. */
static int check_fits(struct patcher *patcher, const struct node *node, uint64_t *budget)
{
	int rc = measure(node, ES_JSON_DEPTH_MAX - patcher->path.count, budget);

	if (rc == ES_ETOO_LARGE)
		return refuse_at(patcher, &patcher->path, "nested too deep");
	if (rc < 0)
		return refuse(patcher, "%s", "the patch copies or moves too much");
	return 0;
}

static int take_value(struct patcher *patcher, const struct es_json *operation,
		      struct node *ret_node)
{
	const struct es_json *value = es_json_get(operation, "value");

	if (value == NULL)
		return refuse(patcher, "%s", "\"value\" is missing");
	*ret_node = (struct node){.value = *value};
	return 0;
}

static int do_add(struct patcher *patcher, const struct es_json *operation)
{
	uint64_t budget = UINT64_MAX; /* it was in the patch */
	struct node node;
	int rc = take_value(patcher, operation, &node);

	if (rc == 0)
		rc = check_fits(patcher, &node, &budget);
	return rc < 0 ? rc : add(patcher, &node);
}

static int do_remove(struct patcher *patcher, const struct es_json *operation)
{
	struct node node;

	(void)operation;
	return take_out(patcher, &patcher->path, &node);
}

static int do_replace(struct patcher *patcher, const struct es_json *operation)
{
	uint64_t budget = UINT64_MAX;
	struct node node, *target;
	int rc = take_value(patcher, operation, &node);

	if (rc == 0)
		rc = check_fits(patcher, &node, &budget);
	if (rc == 0)
		rc = walk(patcher, &patcher->path, patcher->path.count, &target);
	if (rc == 0)
		*target = node;
	return rc;
}

static int do_move(struct patcher *patcher, const struct es_json *operation)
{
	const struct pointer *from = &patcher->from, *path = &patcher->path;
	struct node node, *source;
	size_t same = 0;
	int rc = parse_pointer(patcher, operation, "from", &patcher->from);

	if (rc == 0)
		rc = walk(patcher, from, from->count, &source);
	if (rc < 0)
		return rc;
	while (same < from->count && same < path->count &&
	       es_slice_eq(from->tokens[same], path->tokens[same]))
		same++;
	if (same == from->count)
		return path->count == same
			       ? 0
			       : refuse_at(patcher, from, "what would move into itself is");
	if (path->count > from->count) {
		rc = check_fits(patcher, source, &patcher->work_left);
		if (rc < 0)
			return rc;
	}
	rc = take_out(patcher, from, &node);
	return rc < 0 ? rc : add(patcher, &node);
}

static int do_copy(struct patcher *patcher, const struct es_json *operation)
{
	struct node *source;
	struct node copy;
	int rc = parse_pointer(patcher, operation, "from", &patcher->from);

	if (rc == 0)
		rc = walk(patcher, &patcher->from, patcher->from.count, &source);
	if (rc == 0)
		rc = check_fits(patcher, source, &patcher->copy_bytes_left);
	if (rc == 0)
		rc = freeze(patcher->arena, source);
	if (rc < 0)
		return rc;
	copy = *source;
	return add(patcher, &copy);
}

static int do_test(struct patcher *patcher, const struct es_json *operation)
{
	struct node node, *target;
	int rc = take_value(patcher, operation, &node);

	if (rc == 0)
		rc = walk(patcher, &patcher->path, patcher->path.count, &target);
	if (rc == 0 && !node_eq(target, &node.value))
		rc = refuse_at(patcher, &patcher->path, "another value is");
	return rc;
}

static int apply(struct patcher *patcher, const struct es_json *operation)
{
	static const struct {
		const char *name;
		int (*apply)(struct patcher *patcher, const struct es_json *operation);
	} operations[] = {{"add", do_add},       {"copy", do_copy},       {"move", do_move},
			  {"remove", do_remove}, {"replace", do_replace}, {"test", do_test}};
	struct es_slice name = es_json_as_string(es_json_get(operation, "op"));

	patcher->op = "?";
	if (operation->type != ES_JSON_OBJECT)
		return refuse(patcher, "%s", "not an object");
	for (size_t i = 0; i < ES_ARRAY_LEN(operations); i++) {
		int rc;

		if (!es_slice_eq(es_slice_str(operations[i].name), name))
			continue;
		patcher->op = operations[i].name;
		rc = parse_pointer(patcher, operation, "path", &patcher->path);
		return rc < 0 ? rc : operations[i].apply(patcher, operation);
	}
	return refuse(patcher, "%s", "\"op\" is none of add, copy, move, remove, replace, test");
}

int es_patch_json(const struct es_json *target, const struct es_json *patch, size_t bytes_max,
		  struct es_arena *arena, struct es_json *ret_result, char *errmsg,
		  size_t errmsg_size)
{
	struct patcher patcher = {
		.arena = arena,
		.root.value = *target,
		.copy_bytes_left = bytes_max,
		.work_left = WORK_MAX,
		.errmsg = errmsg,
		.errmsg_size = errmsg_size,
	};
	int rc;

	if (patch->type != ES_JSON_ARRAY) {
		es_resource_say(errmsg, errmsg_size,
				"a JSON patch is an array of operations, not %s",
				es_json_type_name(patch->type));
		return ES_EINVAL;
	}
	if (patch->count > OPERATIONS_MAX) {
		es_resource_say(errmsg, errmsg_size,
				"%" PRIu32 " operations, at most %d are allowed", patch->count,
				OPERATIONS_MAX);
		return ES_EINVAL;
	}
	for (patcher.index = 0; patcher.index < patch->count; patcher.index++) {
		rc = apply(&patcher, &patch->u.items[patcher.index]);
		if (rc < 0)
			return rc;
	}
	rc = freeze(arena, &patcher.root);
	if (rc == 0)
		*ret_result = patcher.root.value;
	return rc;
}
