#include "sync/digest.h"

#include <string.h>

#include "base/mem.h"
#include "trees.h"

static const char app[] =
	"{'apiVersion':'argoproj.io/v1alpha1','kind':'Application','metadata':{'name':'a','namespace':'n','uid':'u1',"
	"'resourceVersion':'7','labels':{'l':'1'},'annotations':{'x':'y'},'finalizers':['f']},"
	"'spec':{'project':'p','n':1},'operation':{'sync':{}},'status':{'health':{'status':'Healthy'}}}";

static struct digest digest(const char *text, enum digest_part part)
{
	json_object *tree = tree_of(text);
	struct digest d;

	assert_int_equal(digest_of(tree, part, &d), E_OK);
	json_object_put(tree);
	return d;
}

/* Members put over those of `app`, one level of metadata deep. */
static struct digest with(const char *changes, enum digest_part part)
{
	json_object *tree = tree_of(app), *over = tree_of(changes), *metadata;
	struct digest d;

	assert_true(json_object_object_get_ex(tree, "metadata", &metadata));
	json_object_object_foreach(over, key, value)
	{
		if (strncmp(key, "metadata.", 9) == 0)
			json_object_object_add(metadata, key + 9, json_object_get(value));
		else
			json_object_object_add(tree, key, json_object_get(value));
	}
	assert_int_equal(digest_of(tree, part, &d), E_OK);
	json_object_put(over);
	json_object_put(tree);
	return d;
}

static void what_is_not_content_changes_no_desired_digest(void **state)
{
	static const char *const rows[] = {
		"{'status':{'health':{}}}",
		"{'status':null}",
		"{'operation':{'sync':{'revision':'x'}}}",
		"{'operation':null}",
		"{'metadata.uid':'u2'}",
		"{'metadata.resourceVersion':'8'}",
		"{'metadata.generation':4}",
		"{'metadata.managedFields':[{'manager':'m'}]}",
		"{'metadata.creationTimestamp':'2026-01-01T00:00:00Z'}",
		"{'metadata.ownerReferences':[{'uid':'o'}]}",
		"{'metadata.name':'b'}",
		"{'metadata.namespace':'m'}",
		"{'apiVersion':'v2'}",
		"{'metadata.annotations':{'x':'y','argocd.argoproj.io/source-uid':'u'}}",
		"{'metadata.annotations':{'x':'y','argocd.argoproj.io/principal-uid':'u'}}",
		"{'metadata.annotations':{'x':'y','argocd.argoproj.io/namespace-remapped':'true'}}",
		"{'metadata.annotations':{'x':'y','argocd-agent.argoproj.io/last-updated':'now'}}",
		"{'metadata.annotations':{'x':'y','kubectl.kubernetes.io/last-applied-configuration':'{}'}}",
		"{'metadata.annotations':{'x':'y','notified.notifications.argoproj.io':'{}'}}",
	};
	struct digest before = digest(app, DIGEST_DESIRED);

	(void)state;
	assert_int_equal(strlen(before.text), DIGEST_SIZE - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(with(rows[i], DIGEST_DESIRED).text, before.text) != 0)
			fail_msg("%s", rows[i]);
}

static void each_part_of_the_content_changes_the_desired_digest(void **state)
{
	static const char *const rows[] = {
		"{'spec':{'project':'p','n':2}}",
		"{'spec':{'project':'p','n':'1'}}",
		"{'spec':{'project':'p','n':true}}",
		"{'spec':{'project':'p','n':false}}",
		"{'spec':{'project':'p','n':0.1}}",
		"{'spec':{'project':'p','n':0.2}}",
		"{'spec':{'project':'p','n':-1}}",
		"{'spec':{'project':'p','n':-2}}",
		"{'spec':{'project':'p','n':[null]}}",
		"{'spec':{'project':'p','n':[true]}}",
		"{'spec':{'project':'p','n':1,'more':[]}}",
		"{'spec':{'project':'p','n':1,'more':{}}}",
		"{'spec':{'project':'p','n':[1]}}",
		"{'spec':null}",
		"{'data':{'k':'dg=='}}",
		"{'metadata.labels':{'l':'2'}}",
		"{'metadata.labels':{}}",
		"{'metadata.annotations':{'x':'z'}}",
		"{'metadata.annotations':{}}",
		"{'metadata.annotations':{'x':'y','argocd.argoproj.io/refresh':'normal'}}",
		"{'metadata.annotations':{'x':'y','argocd.argoproj.io/adoption-policy':'never'}}",
		"{'metadata.finalizers':[]}",
		"{'metadata.finalizers':['f','g']}",
		"{'metadata.deletionTimestamp':'2026-01-01T00:00:00Z'}",
	};
	struct digest seen[ARRAY_LEN(rows) + 1] = { digest(app, DIGEST_DESIRED) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		seen[i + 1] = with(rows[i], DIGEST_DESIRED);
		for (size_t j = 0; j <= i; j++)
			if (strcmp(seen[i + 1].text, seen[j].text) == 0)
				fail_msg("%s", rows[i]);
	}
}

static void how_it_is_written_does_not_matter(void **state)
{
	static const struct {
		const char *a, *b;
		enum digest_part part;
	} rows[] = {
		{ "{'spec':{'a':1,'b':2}}", "{'spec':{'b':2,'a':1}}", DIGEST_DESIRED },
		{ "{'spec':{'a':1.0,'b':1e3}}", "{'spec':{'a':1,'b':1000}}", DIGEST_DESIRED },
		{ "{'spec':{'a':0.10}}", "{'spec':{'a':1e-1}}", DIGEST_DESIRED },
		{ "{'spec':{'a':null}}", "{'spec':{}}", DIGEST_DESIRED },
		{ "{'metadata':{'labels':{},'annotations':{},'finalizers':[]},'spec':{}}", "{'spec':{}}",
		  DIGEST_DESIRED },
		{ "{'metadata':{'annotations':{'argocd.argoproj.io/source-uid':'u'}},'spec':{}}", "{'spec':{}}",
		  DIGEST_DESIRED },
		{ "{'metadata':{'deletionTimestamp':null},'spec':{}}", "{'spec':{}}", DIGEST_DESIRED },
		{ "{'metadata':{'deletionTimestamp':'1'},'spec':{}}",
		  "{'metadata':{'deletionTimestamp':'2'},'spec':{}}", DIGEST_DESIRED },
		{ "{'spec':{'t':'\\u00e9'}}", "{'spec':{'t':'\xc3\xa9'}}", DIGEST_DESIRED },
		{ "{'status':{'b':[1,{'x':1,'y':2}]}}", "{'status':{'b':[1,{'y':2,'x':1}]}}", DIGEST_STATUS },
		{ "{'spec':{},'status':{}}", "{'spec':{}}", DIGEST_WHOLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(digest(rows[i].a, rows[i].part).text, digest(rows[i].b, rows[i].part).text) != 0)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
}

static void numbers_of_64_bits_are_told_apart(void **state)
{
	(void)state;
	assert_string_not_equal(digest("{'spec':{'n':9007199254740993}}", DIGEST_DESIRED).text,
				digest("{'spec':{'n':9007199254740992}}", DIGEST_DESIRED).text);
	assert_string_not_equal(digest("{'spec':{'n':18446744073709551615}}", DIGEST_DESIRED).text,
				digest("{'spec':{'n':9223372036854775807}}", DIGEST_DESIRED).text);
	assert_string_not_equal(digest("{'spec':{'n':-1}}", DIGEST_DESIRED).text,
				digest("{'spec':{'n':1}}", DIGEST_DESIRED).text);
}

static void a_part_that_is_not_there_is_the_empty_text(void **state)
{
	struct digest d = { "x" };

	(void)state;
	assert_string_equal(digest("{'metadata':{'name':'a','uid':'u'}}", DIGEST_DESIRED).text, "");
	assert_string_equal(digest("{'spec':{}}", DIGEST_STATUS).text, "");
	assert_string_equal(digest("{'status':{}}", DIGEST_STATUS).text, "");
	assert_string_equal(digest("{'operation':null}", DIGEST_OPERATION).text, "");
	assert_string_not_equal(digest("{'operation':{}}", DIGEST_OPERATION).text, "");
	assert_string_equal(digest("{}", DIGEST_WHOLE).text, "");
	assert_int_equal(digest_of(NULL, DIGEST_WHOLE, &d), E_OK);
	assert_string_equal(d.text, "");
}

static void the_whole_changes_with_each_part(void **state)
{
	struct digest before = digest(app, DIGEST_WHOLE);

	(void)state;
	assert_string_not_equal(with("{'spec':{'n':2}}", DIGEST_WHOLE).text, before.text);
	assert_string_not_equal(with("{'status':{'health':{'status':'Degraded'}}}", DIGEST_WHOLE).text, before.text);
	assert_string_not_equal(with("{'operation':{}}", DIGEST_WHOLE).text, before.text);
	assert_string_equal(with("{'metadata.uid':'u9'}", DIGEST_WHOLE).text, before.text);
}

/* They lie in the ledger: when one of these changes, everything is sent again after an upgrade. */
static void the_form_does_not_change(void **state)
{
	(void)state;
	assert_string_equal(digest(app, DIGEST_DESIRED).text, "73f7a3adc84d594a389b2929e8209857");
	assert_string_equal(digest(app, DIGEST_STATUS).text, "e01900bfe679ba376eac31966521277a");
	assert_string_equal(digest(app, DIGEST_OPERATION).text, "303b9fa46e30913ee99cb61d08664f53");
	assert_string_equal(digest(app, DIGEST_WHOLE).text, "a220b22587dd094d3855862dccfee5f8");
}

static void many_members_need_memory_and_do_without_when_there_is_none(void **state)
{
	json_object *tree = tree_of("{'spec':{}}"), *spec;
	struct digest first, d;
	enum err err = E_NOMEM;
	char key[16];

	(void)state;
	assert_true(json_object_object_get_ex(tree, "spec", &spec));
	for (int i = 0; i < 100; i++) {
		(void)snprintf(key, sizeof(key), "k%d", i);
		json_object_object_add(spec, key, json_object_new_int(i));
	}
	assert_int_equal(digest_of(tree, DIGEST_DESIRED, &first), E_OK);
	for (long n = 1; err != E_OK; n++) {
		mem_fail_at(n);
		err = digest_of(tree, DIGEST_DESIRED, &d);
		mem_fail_at(0);
		assert_true(err == E_OK || err == E_NOMEM);
		assert_true(n < 1000);
	}
	assert_string_equal(d.text, first.text);
	json_object_put(tree);
}

static void what_is_nested_too_deeply_is_refused(void **state)
{
	json_object *tree = json_object_new_object(), *inner = json_object_new_array();
	struct digest d;

	(void)state;
	for (int i = 0; i < 600; i++) {
		json_object *outer = json_object_new_array();

		json_object_array_add(outer, inner);
		inner = outer;
	}
	json_object_object_add(tree, "spec", inner);
	assert_int_equal(digest_of(tree, DIGEST_DESIRED, &d), E_LIMIT);
	json_object_put(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_content_changes_no_desired_digest),
		cmocka_unit_test(each_part_of_the_content_changes_the_desired_digest),
		cmocka_unit_test(how_it_is_written_does_not_matter),
		cmocka_unit_test(numbers_of_64_bits_are_told_apart),
		cmocka_unit_test(a_part_that_is_not_there_is_the_empty_text),
		cmocka_unit_test(the_whole_changes_with_each_part),
		cmocka_unit_test(the_form_does_not_change),
		cmocka_unit_test(many_members_need_memory_and_do_without_when_there_is_none),
		cmocka_unit_test(what_is_nested_too_deeply_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
