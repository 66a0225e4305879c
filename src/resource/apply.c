/*
 * Server-side apply. A manager says what it wants of an object; what it says is merged into the object and is its own
 * from then on, and what it said before and says no more is removed, unless somebody else owns it too. A change of what
 * others own is a conflict, or takes it from them by force.
 *
 * Differences from Kubernetes' API server, which converts, validates and defaults objects around this:
 *
 * - An object is of one version, as its key names it. Owners of another apiVersion own the same fields.
 * - Values need not be what the schema says, and fields may be there that it does not know: they are taken as those of
 *   custom resources. Only lists whose items cannot be told apart are refused.
 * - A writer that does not apply leaves no trace in managedFields. The first apply gives all that is there then to the
 *   manager "before-first-apply", as Kubernetes does; what is written later belongs to nobody, is never a conflict,
 *   and is not removed, except inside of something that its last owner stops applying.
 * - The time of a manager changes when the object or what the manager owns changes. (Kubernetes forgets the latter, and
 *   has no time at all of one that begins to own what is there already.)
 * - What the store keeps in metadata is not applied once the object has it, null for it says nothing, and metadata
 *   itself is never what a manager stops applying.
 * - Numbers are compared exactly beyond 53 bits, and control characters in messages are quoted as in JSON.
 * - Subresources are not told apart, and no fields are reset: whoever applies status owns it.
 * - The annotation kubectl.kubernetes.io/last-applied-configuration is an annotation like others.
 */
#include "resource/patch.h"

#include <stdlib.h>

#include "base/assert.h"
#include "resource/field_walk.h"
#include "resource/managed_fields.h"
#include "resource/rules.h"
#include "resource/util.h"

#define CAUSE_BYTES_MAX (1u << 20) /* of conflicts that are told; at least one is */
/* Where the list of managers is: in the object and its metadata. */
#define MANAGED_FIELDS_DEPTH 2

struct run {
	struct es_walk walk;
	const struct es_schema *schema;
	const struct es_apply *apply;
	struct es_slice api_version;
	struct es_json live;   /* without managedFields */
	struct es_json config; /* without what means nothing */
	struct es_json result;
	struct es_managers managers;
	struct es_manager *self;
	struct es_field_set last; /* what `self` owned before */
	struct es_field_set changed, removed;
};

static int refuse(const struct run *run, const char *what)
{
	es_resource_say(run->walk.errmsg, run->walk.errmsg_size, "%s", what);
	return ES_EINVAL;
}

/* ---- what is given ---------------------------------------------------------------------- */

/* The store keeps the value that the live object has. */
static bool is_kept(const struct es_json *live, struct es_slice name)
{
	const struct es_json *value = es_json_get_slice(live, name);

	if (es_slice_eq(name, ES_SLICE("name")) || es_slice_eq(name, ES_SLICE("namespace")) ||
	    es_slice_eq(name, ES_SLICE("managedFields")))
		return false;
	return es_slice_eq(name, ES_SLICE("uid")) ? es_resource_is_set(value) : value != NULL;
}

/*
 * Members of metadata that nobody owns say nothing when they are null; clients send such. Nor do those that the store
 * keeps, once it has them, or what is applied twice would be a change: clients send back what they have read, and the
 * time of creation is filled in for whoever leaves it out.
 */
static int drop_kept(struct run *run, const struct es_json *live, struct es_json *metadata)
{
	const struct es_field_element element = es_field_name(ES_SLICE("metadata"));
	const struct es_field_node *never = es_field_set_find(es_managed_fields_never(), &element);
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < never->children.count; i++) {
		struct es_slice name = never->children.nodes[i].element.value.u.string;

		if (es_json_is(es_json_get_slice(metadata, name), ES_JSON_NULL) ||
		    is_kept(live, name))
			rc = es_json_remove(run->walk.arena, metadata, name, metadata);
	}
	return rc;
}

/* `target` NULL: there is none. */
static int take_config(struct run *run, const struct es_json *target, const struct es_json *config)
{
	const struct es_json *kind = es_json_get(config, "kind");
	const struct es_json *given = es_json_get(config, "metadata");
	struct es_json metadata = es_json_object();
	int rc;

	if (config->type != ES_JSON_OBJECT)
		return refuse(run, "an applied configuration is an object");
	run->api_version = es_json_as_string(es_json_get(config, "apiVersion"));
	if (run->api_version.len == 0)
		return refuse(run, "apiVersion is required for apply");
	if (es_json_as_string(kind).len == 0)
		return refuse(run, "kind is required for apply");
	if (given != NULL && given->type != ES_JSON_NULL) {
		if (given->type != ES_JSON_OBJECT)
			return refuse(run, "metadata is not an object");
		metadata = *given;
	}
	rc = drop_kept(run, es_json_get(target, "metadata"), &metadata);
	if (rc < 0)
		return rc;
	if (es_json_get(&metadata, "managedFields") != NULL)
		return refuse(run, "metadata.managedFields must be nil");
	/* Even when it is empty: metadata is never what a manager stops applying. */
	return es_json_set(run->walk.arena, config, ES_SLICE("metadata"), &metadata, &run->config);
}

static bool contradicts(const struct es_json *target, const struct es_json *config,
			const char *name)
{
	struct es_slice is = es_json_as_string(es_json_get(target, name));

	return is.len > 0 && !es_slice_eq(is, es_json_as_string(es_json_get(config, name)));
}

/* An object that is not there yet is one without any fields. */
static int take_nothing(struct run *run)
{
	struct es_arena *arena = run->walk.arena;
	int rc;

	run->live = es_json_object();
	rc = es_json_set(arena, &run->live, ES_SLICE("apiVersion"),
			 es_json_get(&run->config, "apiVersion"), &run->live);
	if (rc == 0)
		rc = es_json_set(arena, &run->live, ES_SLICE("kind"),
				 es_json_get(&run->config, "kind"), &run->live);
	return rc == 0 ? es_managers_read(NULL, 1, arena, &run->managers, NULL, 0) : rc;
}

static int take_target(struct run *run, const struct es_json *target)
{
	const struct es_json *metadata = es_json_get(target, "metadata");
	struct es_json without;
	int rc;

	if (target->type != ES_JSON_OBJECT)
		return refuse(run, "the stored value is not an object");
	if (metadata != NULL && metadata->type != ES_JSON_OBJECT)
		return refuse(run, "the stored object's metadata is not an object");
	if (contradicts(target, &run->config, "apiVersion"))
		return refuse(run, "apiVersion is another one than the stored object's");
	if (contradicts(target, &run->config, "kind"))
		return refuse(run, "kind is another one than the stored object's");
	run->live = *target;
	rc = es_managers_read(es_json_get(metadata, "managedFields"), 2, run->walk.arena,
			      &run->managers, run->walk.errmsg, run->walk.errmsg_size);
	if (rc < 0 || es_json_get(metadata, "managedFields") == NULL)
		return rc;
	rc = es_json_remove(run->walk.arena, metadata, ES_SLICE("managedFields"), &without);
	if (rc == 0)
		rc = es_json_set(run->walk.arena, target, ES_SLICE("metadata"), &without,
				 &run->live);
	return rc;
}

/* ---- who owns what ---------------------------------------------------------------------- */

/* Nobody is known to own anything of the object: somebody does, from now on. */
static int begin_managing(struct run *run)
{
	struct es_manager manager = {
		.name = ES_SLICE("before-first-apply"),
		.api_version = run->api_version,
		.time = run->apply->time,
	};
	struct es_field_set none;
	struct es_json empty = es_json_object();
	int rc = es_walk_compare(&run->walk, run->schema, &empty, &run->live, &manager.fields,
				 &none);

	if (rc == 0)
		rc = es_field_set_difference(run->walk.arena, &manager.fields,
					     es_managed_fields_never(), &manager.fields);
	if (rc == 0 && !es_field_set_is_empty(&manager.fields))
		es_managers_add(&run->managers, &manager);
	return rc;
}

static int find_owners(struct run *run, bool is_new)
{
	const struct es_manager like = {.name = run->apply->manager, .applies = true};
	int rc = 0;

	if (run->managers.count == 0 && !is_new)
		rc = begin_managing(run);
	for (size_t i = 0; rc == 0 && i < run->managers.count; i++)
		rc = es_walk_reconcile(run->walk.arena, run->schema, &run->managers.list[i].fields,
				       &run->managers.list[i].fields);
	run->self = es_managers_find(&run->managers, &like);
	if (run->self == NULL)
		run->self = es_managers_add(&run->managers, &like);
	run->last = run->self->fields;
	return rc;
}

/* ---- what is no longer applied ---------------------------------------------------------- */

/* Everything that has an owner, the configuration's fields included; with the declared fields above. */
static int owned_fields(struct run *run, struct es_field_set *ret_owned)
{
	struct es_arena *arena = run->walk.arena;
	const size_t count = run->managers.count;
	struct es_field_set owned, *sets = es_arena_alloc(arena, count * sizeof(*sets));
	int rc;

	if (sets == NULL)
		return ES_ENOMEM;
	for (size_t i = 0; i < count; i++)
		sets[i] = run->managers.list[i].fields;
	rc = es_field_set_union_all(arena, sets, count, &owned);
	return rc == 0 ? es_walk_add_named(arena, run->schema, &owned, ret_owned) : rc;
}

static int named_fields_of(struct run *run, const struct es_json *object,
			   struct es_field_set *ret_fields)
{
	int rc = es_walk_fields(&run->walk, run->schema, object, ret_fields);

	return rc == 0 ? es_walk_add_named(run->walk.arena, run->schema, ret_fields, ret_fields)
		       : rc;
}

/*
 * Remove what the manager owned and applies no more, in three steps: all that it owned, then bring back what somebody
 * owns, then bring back what nobody ever owned. Removing takes along all that is below a field, and what goes with an
 * item that is owned is meant to.
 */
static int prune(struct run *run)
{
	struct es_arena *arena = run->walk.arena;
	struct es_field_set last, all, owned, kept, gone;
	struct es_json pruned;
	int rc;

	if (es_field_set_is_empty(&run->last))
		return 0;
	rc = es_walk_add_named(arena, run->schema, &run->last, &last);
	if (rc == 0)
		rc = named_fields_of(run, &run->result, &all);
	if (rc == 0)
		rc = owned_fields(run, &owned);

	if (rc == 0)
		rc = es_walk_remove(&run->walk, run->schema, &run->result, &last, &pruned);
	if (rc == 0)
		rc = named_fields_of(run, &pruned, &kept);
	if (rc == 0)
		rc = es_field_set_union(arena, &kept, &owned, &kept);
	if (rc == 0)
		rc = es_field_set_difference(arena, &all, &kept, &gone);

	if (rc == 0)
		rc = es_walk_remove(&run->walk, run->schema, &run->result, &gone, &pruned);
	if (rc == 0)
		rc = named_fields_of(run, &pruned, &kept);
	if (rc == 0)
		rc = es_field_set_difference(arena, &all, &kept, &gone);
	if (rc == 0)
		rc = es_field_set_intersection(arena, &gone, &last, &gone);

	if (rc == 0)
		rc = es_walk_remove(&run->walk, run->schema, &run->result, &gone, &run->result);
	return rc;
}

static int merge(struct run *run)
{
	int rc;

	run->walk.subject = "the applied configuration";
	rc = es_walk_check(&run->walk, run->schema, &run->config);
	if (rc == 0)
		rc = es_walk_fields(&run->walk, run->schema, &run->config, &run->self->fields);
	if (rc < 0)
		return rc;
	run->walk.subject = "the stored object";
	rc = es_walk_merge(&run->walk, run->schema, &run->live, &run->config, &run->result);
	if (rc == 0)
		rc = prune(run);
	run->walk.subject = "the result"; /* an item may be left without its keys */
	return rc;
}

/* ---- conflicts -------------------------------------------------------------------------- */

struct causes {
	struct es_arena *arena;
	struct es_slice manager;
	struct es_resource_cause *list; /* NULL: only counted */
	size_t count, listed;
	size_t bytes; /* of those listed */
};

/* What is in the list would be told in full; what is behind CAUSE_BYTES_MAX is only counted. */
static int add_cause(struct causes *causes, const struct es_walk_step *step)
{
	struct es_arena_buf text;
	int rc;

	causes->count++;
	if (causes->list == NULL || causes->bytes > CAUSE_BYTES_MAX)
		return 0;
	es_arena_buf_init(&text, causes->arena);
	rc = es_walk_print_path(&text.buf, step);
	causes->list[causes->listed++] = (struct es_resource_cause){causes->manager,
								    es_buf_slice(&text.buf)};
	causes->bytes += causes->manager.len + text.buf.len;
	return rc;
}

static int add_causes(struct causes *causes, const struct es_walk_step *up,
		      const struct es_field_set *set)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < set->count; i++) {
		const struct es_walk_step step = {up, &set->nodes[i].element};

		if (set->nodes[i].member)
			rc = add_cause(causes, &step);
		if (rc == 0)
			rc = add_causes(causes, &step, &set->nodes[i].children);
	}
	return rc;
}

static int by_manager(const void *a, const void *b)
{
	const struct es_resource_cause *x = a, *y = b;
	int order = es_slice_cmp(x->manager, y->manager);

	return order != 0 ? order : es_slice_cmp(x->field, y->field);
}

/* As Kubernetes words it: one conflict on one line, several by manager. */
static int say_conflicts(struct run *run, const struct causes *causes)
{
	struct es_arena_buf text;
	int rc;

	es_arena_buf_init(&text, run->walk.arena);
	rc = es_buf_printf(&text.buf, "Apply failed with %zu conflict%s:", causes->count,
			   causes->count == 1 ? "" : "s");
	for (size_t i = 0; rc == 0 && i < causes->listed; i++) {
		const struct es_resource_cause *cause = &causes->list[i];
		const char *between = "\n- ";

		if (i == 0 || !es_slice_eq(cause->manager, cause[-1].manager)) {
			rc = es_buf_append_str(&text.buf, i > 0               ? "\nconflicts with "
							  : causes->count > 1 ? " conflicts with "
									      : " conflict with ");
			if (rc == 0)
				rc = es_buf_append_slice(&text.buf, cause->manager);
			between = causes->count > 1 ? ":\n- " : ": ";
		}
		if (rc == 0)
			rc = es_buf_append_str(&text.buf, between);
		if (rc == 0)
			rc = es_buf_append_slice(&text.buf, cause->field);
	}
	if (rc == 0)
		rc = es_buf_append_u8(&text.buf, '\0');
	if (rc == 0)
		es_resource_say(run->walk.errmsg, run->walk.errmsg_size, "%s",
				(const char *)text.buf.data);
	return rc;
}

/* `fields`: of each manager those that are in conflict. */
static int tell_conflicts(struct run *run, const struct es_field_set *fields,
			  const struct es_resource_cause **ret_conflicts, size_t *ret_count)
{
	struct causes causes = {.arena = run->walk.arena};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < run->managers.count; i++)
		rc = add_causes(&causes, NULL, &fields[i]);
	causes.list = es_arena_alloc(run->walk.arena, causes.count * sizeof(*causes.list));
	if (causes.list == NULL)
		return ES_ENOMEM;
	causes.count = 0;
	for (size_t i = 0; rc == 0 && i < run->managers.count; i++) {
		struct es_arena_buf name;

		es_arena_buf_init(&name, run->walk.arena);
		rc = es_manager_print(&name.buf, &run->managers.list[i]);
		causes.manager = es_buf_slice(&name.buf);
		if (rc == 0)
			rc = add_causes(&causes, NULL, &fields[i]);
	}
	if (rc < 0)
		return rc;
	qsort(causes.list, causes.listed, sizeof(*causes.list), by_manager);
	*ret_conflicts = causes.list;
	*ret_count = causes.listed;
	rc = say_conflicts(run, &causes);
	return rc == 0 ? ES_EEXIST : rc;
}

/* Take from the others what is changed, if that is allowed, and what is gone. */
static int settle(struct run *run, const struct es_resource_cause **ret_conflicts,
		  size_t *ret_count)
{
	struct es_arena *arena = run->walk.arena;
	const size_t count = run->managers.count;
	struct es_field_set *taken = es_arena_calloc(arena, count, sizeof(*taken));
	bool conflict = false;
	int rc = taken == NULL ? ES_ENOMEM
			       : es_walk_compare(&run->walk, run->schema, &run->live, &run->result,
						 &run->changed, &run->removed);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct es_manager *manager = &run->managers.list[i];

		if (manager == run->self)
			continue;
		rc = es_field_set_intersection(arena, &manager->fields, &run->changed, &taken[i]);
		if (rc == 0 && !es_field_set_is_empty(&taken[i]))
			conflict = true;
	}
	if (rc == 0 && conflict && !run->apply->force)
		return tell_conflicts(run, taken, ret_conflicts, ret_count);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct es_manager *manager = &run->managers.list[i];

		if (manager == run->self)
			continue;
		rc = es_field_set_difference(arena, &manager->fields, &taken[i], &manager->fields);
		if (rc == 0)
			rc = es_field_set_difference(arena, &manager->fields, &run->removed,
						     &manager->fields);
	}
	return rc;
}

/* ---- the result ------------------------------------------------------------------------- */

static int finish(struct run *run)
{
	struct es_arena *arena = run->walk.arena;
	const bool changed = es_field_compare_values(&run->live, &run->result) != 0;
	struct es_manager *self = run->self;
	struct es_json metadata, list;
	int rc = es_field_set_difference(arena, &self->fields, es_managed_fields_never(),
					 &self->fields);

	if (rc < 0)
		return rc;
	if (changed || !es_field_set_eq(&self->fields, &run->last) ||
	    !es_slice_eq(self->api_version, run->api_version))
		self->time = run->apply->time;
	self->api_version = run->api_version;
	if (!changed)
		run->result = run->live; /* 1 and 1.0 are the same */
	es_managers_drop_idle(&run->managers);
	if (run->managers.count == 0)
		return 0;
	if (run->managers.count > ES_MANAGERS_MAX)
		return refuse(run, "there would be too many managers");
	rc = es_managers_write(&run->managers, ES_JSON_DEPTH_MAX - MANAGED_FIELDS_DEPTH, arena,
			       &list);
	if (rc == ES_EINVAL)
		return refuse(run, "nested too deep to say who owns it");
	if (rc == 0) {
		const struct es_json *old = es_json_get(&run->result, "metadata");

		rc = es_json_set(arena, old, ES_SLICE("managedFields"), &list, &metadata);
	}
	return rc == 0 ? es_json_set(arena, &run->result, ES_SLICE("metadata"), &metadata,
				     &run->result)
		       : rc;
}

int es_patch_apply(const struct es_json *target, const struct es_json *config,
		   const struct es_schema *schema, const struct es_apply *apply,
		   struct es_arena *arena, struct es_json *ret_result,
		   const struct es_resource_cause **ret_conflicts, size_t *ret_conflict_count,
		   char *errmsg, size_t errmsg_size)
{
	struct run run = {
		.walk = {arena, "the stored object", errmsg, errmsg_size, NULL},
		.schema = schema,
		.apply = apply,
	};
	int rc = es_manager_check(apply->manager, true, errmsg, errmsg_size);

	if (rc == 0)
		rc = take_config(&run, target, config);
	if (rc == 0)
		rc = target == NULL ? take_nothing(&run) : take_target(&run, target);
	if (rc == 0)
		rc = find_owners(&run, target == NULL);
	if (rc == 0)
		rc = merge(&run);
	if (rc == 0)
		rc = settle(&run, ret_conflicts, ret_conflict_count);
	if (rc == 0)
		rc = finish(&run);
	if (rc == 0)
		*ret_result = run.result;
	return rc;
}
