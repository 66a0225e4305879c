#ifndef TEST_RESOURCE_RULES_STEPS_H
#define TEST_RESOURCE_RULES_STEPS_H

#include "rules_support.h"

/* Commands one after the other, with ' for " in the JSON. */

static inline void plan_of(struct world *w, const char *command, struct es_resource_plan *ret_plan)
{
	size_t len = strlen(command);
	uint8_t *line = es_arena_alloc(&w->arena, len);

	assert_non_null(line);
	for (size_t i = 0; i < len; i++)
		line[i] = command[i] == '\'' ? '"' : (uint8_t)command[i];
	world_apply(w, es_slice(line, len), ret_plan);
}

/* `object`: what is told of it; NULL: not looked at. */
static inline void expect(struct world *w, const char *command, enum es_resource_outcome outcome,
			  const char *object)
{
	struct es_resource_plan plan;
	char text[1024];

	plan_of(w, command, &plan);
	if (plan.outcome != outcome)
		fail_msg("%s: %s (%.*s)", command, es_resource_outcome_name(plan.outcome),
			 (int)plan.reason.len, (const char *)plan.reason.data);
	assert_true(plan.object.len < sizeof(text));
	for (size_t i = 0; i < plan.object.len; i++)
		text[i] = plan.object.data[i] == '"' ? '\'' : (char)plan.object.data[i];
	text[plan.object.len] = '\0';
	if (object != NULL)
		assert_string_equal(text, object);
}

#define THING          "'key':{'group':'g','version':'v1','kind':'Thing','namespace':'x','name':'a'}"
#define BY             ",'reason':'operator'}"
#define T_PUT(value)   "{'kind':'put'," THING ",'value':" value BY
#define T_MERGE(patch) "{'kind':'patch'," THING ",'patch':" patch BY
#define T_JSON(patch)  "{'kind':'patch'," THING ",'patch_type':'json','patch':" patch BY
#define T_DELETE       "{'kind':'delete'," THING ",'deletion_timestamp':'T'" BY

#endif
