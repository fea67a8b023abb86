#include "sync/merge.h"

#include <string.h>

#include "base/mem.h"
#include "sync/digest.h"
#include "sync/marks.h"
#include "trees.h"

/*
 * Laws that hold for any objects: random ones, small enough that both sides often agree.
 * Every round prints its seed when it fails.
 */
#define ROUNDS 1500

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % n;
}

static json_object *text(const char *const *words, unsigned n)
{
	return json_object_new_string(words[pick(n)]);
}

static json_object *random_annotations(void)
{
	static const char *const keys[] = {
		"x",
		"y",
		"argocd.argoproj.io/refresh",
		"argocd.argoproj.io/refresh-timestamp",
		"argocd.argoproj.io/hydrate",
		"argocd.argoproj.io/source-uid",
		"argocd.argoproj.io/principal-uid",
		"argocd.argoproj.io/namespace-remapped",
		"notified.notifications.argoproj.io",
		"argocd-agent.argoproj.io/last-updated",
		"kubectl.kubernetes.io/last-applied-configuration",
		"argocd.argoproj.io/adoption-policy",
	};
	static const char *const values[] = { "1", "2", "true" };
	json_object *map = json_object_new_object();

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (pick(3) == 0)
			json_object_object_add(map, keys[i], text(values, 3));
	return map;
}

static json_object *random_metadata(void)
{
	static const char *const words[] = { "1", "2" };
	json_object *m = json_object_new_object();

	json_object_object_add(m, "name", json_object_new_string("a"));
	json_object_object_add(m, "namespace", text((const char *const[]){ "site", "argocd" }, 2));
	json_object_object_add(m, "uid", text(words, 2));
	json_object_object_add(m, "resourceVersion", text(words, 2));
	if (pick(2))
		json_object_object_add(m, "annotations", random_annotations());
	if (pick(3) == 0) {
		json_object *labels = json_object_new_object();

		json_object_object_add(labels, "l", text(words, 2));
		json_object_object_add(m, "labels", labels);
	}
	if (pick(4) == 0) {
		json_object *finalizers = json_object_new_array();

		json_object_array_add(finalizers, text(words, 2));
		json_object_object_add(m, "finalizers", finalizers);
	}
	if (pick(8) == 0)
		json_object_object_add(m, "deletionTimestamp", text(words, 2));
	return m;
}

static json_object *random_spec(void)
{
	static const char *const names[] = { "in-cluster", "site" };
	json_object *spec = json_object_new_object(), *destination = json_object_new_object();

	json_object_object_add(spec, "v", json_object_new_int((int)pick(2)));
	json_object_object_add(destination, "name", text(names, 2));
	if (pick(2))
		json_object_object_add(destination, "server", json_object_new_string("https://x"));
	json_object_object_add(spec, "destination", destination);
	return spec;
}

static json_object *random_status(void)
{
	static const char *const phases[] = { "Running", "Terminating", "Succeeded" };
	json_object *status = json_object_new_object(), *operation = json_object_new_object();

	json_object_object_add(status, "s", json_object_new_int((int)pick(2)));
	json_object_object_add(operation, "phase", text(phases, 3));
	json_object_object_add(status, "operationState", operation);
	return status;
}

static json_object *random_app(void)
{
	json_object *app = json_object_new_object(), *operation;

	json_object_object_add(app, "kind", json_object_new_string("Application"));
	json_object_object_add(app, "metadata", random_metadata());
	json_object_object_add(app, "spec", random_spec());
	if (pick(2))
		json_object_object_add(app, "status", random_status());
	if (pick(4) == 0)
		json_object_object_add(app, "more", json_object_new_int((int)pick(2)));
	if (pick(3) == 0) {
		operation = json_object_new_object();
		json_object_object_add(operation, "n", json_object_new_int((int)pick(2)));
		json_object_object_add(app, "operation", operation);
	}
	return app;
}

/* A merge that may be done twice. */
typedef enum err merge_fn(json_object *existing, json_object *incoming, struct merged *ret_merged);

static const struct merge_stamp agent_stamp = { .namespace = "argocd", .source_uid = "u", .principal_uid = "p" };
static const struct merge_stamp principal_stamp = { .namespace = "site", .source_uid = "u", .now = "T1" };
static const struct merge_known unseen = { "", false };

static enum err to_managed(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_to_managed(OBJECT_APPLICATION, existing, incoming, &agent_stamp, m);
}

static enum err from_autonomous(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_from_autonomous(OBJECT_APPLICATION, existing, incoming, &principal_stamp, NULL, m);
}

static enum err from_autonomous_unseen(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_from_autonomous(OBJECT_APPLICATION, existing, incoming, &principal_stamp, &unseen, m);
}

static enum err revert_managed(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_revert(OBJECT_APPLICATION, true, existing, incoming, &agent_stamp, m);
}

static enum err revert_copy(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_revert(OBJECT_APPLICATION, false, existing, incoming, &principal_stamp, m);
}

static enum err status(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_status(existing, incoming, NULL, m);
}

static enum err status_unseen(json_object *existing, json_object *incoming, struct merged *m)
{
	return merge_status(existing, incoming, &unseen, m);
}

static enum err terminate(json_object *existing, json_object *incoming, struct merged *m)
{
	enum err err = merge_terminate(existing, m);

	(void)incoming;
	return err;
}

static enum err agent_error(json_object *existing, json_object *incoming, struct merged *m)
{
	(void)incoming;
	return merge_agent_error(existing, "m", "T", m);
}

static merge_fn *const merges[] = { to_managed, from_autonomous, from_autonomous_unseen, revert_managed, revert_copy,
				    status,     status_unseen,   merge_to_autonomous,    terminate,      agent_error };

static char *print(json_object *tree)
{
	const char *s = json_object_to_json_string_ext(tree, JSON_C_TO_STRING_PLAIN);

	return mem_dup(s, strlen(s));
}

/* A second time nothing is to be written (a delete that has not happened yet aside), and nobody's argument was changed. */
static void check_twice(merge_fn *merge, json_object *existing, json_object *incoming, uint64_t of)
{
	char *before = print(existing), *came = print(incoming), *after;
	struct merged once = { 0 }, twice = { 0 };

	if (merge(existing, incoming, &once) == E_OK) {
		assert_int_equal(merge(once.tree, incoming, &twice), E_OK);
		if (twice.writes & ~(unsigned)MERGE_DELETE)
			fail_msg("seed %llu: %s over %s writes %u again", (unsigned long long)of, came, before,
				 twice.writes);
		assert_true(json_object_equal(once.tree, twice.tree));
	}
	after = print(existing);
	assert_string_equal(before, after);
	mem_free(after);
	after = print(incoming);
	assert_string_equal(came, after);
	mem_free(after);
	mem_free(before);
	mem_free(came);
	merged_release(&once);
	merged_release(&twice);
}

static void every_merge_done_twice_is_done_once(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		json_object *existing, *incoming;

		seed = round;
		existing = random_app();
		incoming = random_app();
		for (size_t i = 0; i < ARRAY_LEN(merges); i++)
			check_twice(merges[i], existing, incoming, round);
		json_object_put(existing);
		json_object_put(incoming);
	}
}

static struct digest desired(json_object *tree)
{
	struct digest d;

	assert_int_equal(digest_of(tree, DIGEST_DESIRED, &d), E_OK);
	return d;
}

static void what_was_just_written_needs_no_revert(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		json_object *existing, *incoming;
		struct merged written, reverted;

		seed = round;
		existing = pick(2) ? random_app() : NULL;
		incoming = random_app();
		assert_int_equal(to_managed(existing, incoming, &written), E_OK);
		assert_int_equal(revert_managed(written.tree, written.tree, &reverted), E_OK);
		assert_int_equal(reverted.writes, 0);
		merged_release(&reverted);
		merged_release(&written);
		assert_int_equal(from_autonomous(existing, incoming, &written), E_OK);
		assert_int_equal(revert_copy(written.tree, written.tree, &reverted), E_OK);
		assert_int_equal(reverted.writes, 0);
		merged_release(&reverted);
		merged_release(&written);
		json_object_put(existing);
		json_object_put(incoming);
	}
}

static void forget_wishes(json_object *tree)
{
	for (size_t i = 0; i < MARK_WISHES; i++)
		assert_int_equal(tree_mark_set(tree, "annotations", mark_wishes[i], NULL), E_OK);
}

static void a_revert_brings_back_exactly_what_the_source_decided(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		json_object *incoming, *edited;
		struct merged written, reverted;

		seed = round;
		incoming = random_app();
		edited = random_app();
		json_object_object_del(json_object_object_get(incoming, "metadata"), "deletionTimestamp");
		json_object_object_del(json_object_object_get(edited, "metadata"), "deletionTimestamp");
		assert_int_equal(to_managed(NULL, incoming, &written), E_OK);
		assert_int_equal(revert_managed(edited, written.tree, &reverted), E_OK);
		forget_wishes(written.tree);
		forget_wishes(reverted.tree);
		assert_string_equal(desired(written.tree).text, desired(reverted.tree).text);
		assert_string_equal(at(reverted.tree, "status"), at(edited, "status"));
		assert_string_equal(at(reverted.tree, "operation"), at(edited, "operation"));
		merged_release(&reverted);
		merged_release(&written);
		json_object_put(incoming);
		json_object_put(edited);
	}
}

/* Between two autonomous ends everything desired is the same, what is asked for (refresh) aside. */
static void a_copy_of_an_autonomous_object_has_its_digest(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		json_object *incoming;
		struct merged written;

		seed = round;
		incoming = random_app();
		json_object_object_del(json_object_object_get(incoming, "metadata"), "deletionTimestamp");
		assert_int_equal(from_autonomous(NULL, incoming, &written), E_OK);
		forget_wishes(incoming);
		assert_string_equal(desired(written.tree).text, desired(incoming).text);
		merged_release(&written);
		json_object_put(incoming);
	}
}

static void a_status_of_an_unseeing_agent_never_takes_an_operation_away(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < ROUNDS; round++) {
		json_object *existing, *incoming;
		struct merged m;

		seed = round;
		existing = random_app();
		incoming = random_app();
		assert_int_equal(status_unseen(existing, incoming, &m), E_OK);
		if (at(existing, "operation")[0])
			assert_string_equal(at(m.tree, "operation"), at(existing, "operation"));
		assert_string_equal(desired(m.tree).text, desired(existing).text);
		merged_release(&m);
		json_object_put(existing);
		json_object_put(incoming);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_merge_done_twice_is_done_once),
		cmocka_unit_test(what_was_just_written_needs_no_revert),
		cmocka_unit_test(a_revert_brings_back_exactly_what_the_source_decided),
		cmocka_unit_test(a_copy_of_an_autonomous_object_has_its_digest),
		cmocka_unit_test(a_status_of_an_unseeing_agent_never_takes_an_operation_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
