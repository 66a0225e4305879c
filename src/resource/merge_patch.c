#include "resource/patch.h"

/*
 * RFC 7396. Both member lists are sorted, so a level is one walk along the two; what the patch does not name is shared
 * with the target. `target` may be NULL: a member that is not there.
 */

int es_patch_merge(const struct es_json *target, const struct es_json *patch,
		   struct es_arena *arena, struct es_json *ret_result)
{
	const struct es_json_member *t = NULL, *t_end, *p = patch->u.members, *p_end;
	struct es_json_member *out;
	uint32_t count = 0, room = 0;

	if (patch->type != ES_JSON_OBJECT) {
		*ret_result = *patch;
		return 0;
	}
	if (es_json_is(target, ES_JSON_OBJECT)) {
		t = target->u.members;
		room = target->count;
	}
	t_end = room == 0 ? t : t + room;
	p_end = patch->count == 0 ? p : p + patch->count;
	if (room > UINT32_MAX - patch->count)
		return ES_ENOMEM;
	room += patch->count;
	out = es_arena_alloc(arena, room * sizeof(*out));
	if (out == NULL)
		return ES_ENOMEM;
	while (t != t_end || p != p_end) {
		int order = t == t_end ? 1 : p == p_end ? -1 : es_slice_cmp(t->name, p->name);
		int rc;

		if (order < 0) {
			out[count++] = *t++;
			continue;
		}
		if (p->value.type != ES_JSON_NULL) {
			out[count].name = p->name;
			rc = es_patch_merge(order == 0 ? &t->value : NULL, &p->value, arena,
					    &out[count].value);
			if (rc < 0)
				return rc;
			count++;
		}
		if (order == 0) /* without a target there is none to pass */
			t++;
		p++;
	}
	*ret_result = es_json_object();
	ret_result->count = count;
	ret_result->u.members = out;
	return 0;
}
