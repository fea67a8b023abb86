#include "backend/kubernetes_impl.h"

#include "auth/regex.h"

/*
 * One write. What it expects is held against what is known; where that does not fit, or the server knows better, the object is
 * read first, once.
 *
 *            fits                        2xx
 *   begin ----------> send ---------------------------> done
 *     |                 | 404, 409: once     ^
 *     | does not fit    v                    | fits now
 *     +-------------> read ------------------+--------> done, with E_CONFLICT and the like
 *
 * What had no answer is looked at, too, and has failed.
 */
struct kube_write {
	struct kube_entry *entry;
	struct backend_write *write;
	struct kube_write *next;
	struct object *object; /* a reference to what was given */
	bool read;             /* it was looked at */
	bool namespace_made;
	struct loop_task start;
	void (*then)(struct kube_write *kw);
	struct http_fetch fetch;
	struct buf target;
	struct buf body;
	struct buf bearer;
};

static void write_free(struct kube_write *kw)
{
	object_unref(kw->object);
	buf_release(&kw->target);
	buf_release(&kw->body);
	buf_wipe(&kw->bearer);
	mem_free(kw);
}

void kube_write_done(struct kubernetes *k, struct backend_write *w, enum err err, struct object *result)
{
	w->err = err;
	w->result = err == E_OK ? result : NULL;
	w->backend_data = NULL;
	k->writes--;
	w->on_done(w);
	kube_look(k);
}

/* What it made is reported before anything else is heard of the object. `gone`: it is not there any more. */
static void finish(struct kube_write *kw, enum err err, struct object *result, bool gone)
{
	struct kube_entry *e = kw->entry;
	struct kube_write *next;

	kube_write_done(e->kube, kw->write, err, result);
	if (result)
		kube_entry_take(e, result, /* gone= */ false);
	if (gone)
		kube_entry_bury(e);
	e->first = next = kw->next;
	if (!next)
		e->last = NULL;
	write_free(kw);
	kube_entry_unhold(e); /* what is given meanwhile begins by itself, unless one waits */
	if (next)
		loop_post(e->kube->loop, &next->start);
	else
		kube_entry_rest(e);
}

static void fail(struct kube_write *kw, enum err err)
{
	finish(kw, err, NULL, /* gone= */ false);
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

static void on_done(struct http_fetch *f)
{
	struct kube_write *kw = CONTAINER_OF(f, struct kube_write, fetch);
	struct kubernetes *k = kw->entry->kube;

	if (f->err != E_OK || f->status / 100 != 2)
		metric_inc(k->failures);
	if (f->status == 401)
		kube_forget_token(k);
	kw->then(kw);
}

/* The target is set, and the body if there is one. */
static void request(struct kube_write *kw, const char *method, void (*then)(struct kube_write *kw))
{
	struct kubernetes *k = kw->entry->kube;
	const char *target = buf_cstr(&kw->target);

	if (!target || kw->body.err != E_OK) {
		fail(kw, why_set(&kw->write->why, E_NOMEM, "request"));
		return;
	}
	kw->then = then;
	kw->fetch = (struct http_fetch){ .method = method,
					 .target = target,
					 .body = buf_view(&kw->body),
					 .content_type = "application/json",
					 .bearer = kube_bearer(k, &kw->bearer),
					 .timeout_ms = KUBERNETES_WRITE_MS,
					 .answer_max = KUBERNETES_ANSWER_MAX,
					 .on_done = on_done };
	metric_inc(k->requests);
	http_client_start(k->client, &kw->fetch);
}

static void set_target(struct kube_write *kw, const char *name)
{
	buf_clear(&kw->target);
	buf_clear(&kw->body);
	kube_path(&kw->target, kw->object->kind, kw->object->namespace, name);
}

static enum err read_answer(struct kube_write *kw, struct object **ret_object)
{
	enum err err = kube_object_read(kw->object, buf_view(&kw->fetch.answer), &kw->write->why, ret_object);

	if (err != E_OK)
		metric_inc(kw->entry->kube->failures);
	return err;
}

/* ---- looking -------------------------------------------------------------------------------------------------------- */

static void try_again(struct kube_write *kw);

/* Something of that name, which is none of ours: nobody writes over it. */
static enum err found_another(struct kube_write *kw)
{
	kube_entry_bury(kw->entry);
	if (kw->write->verb == BACKEND_DELETE)
		return E_NOT_FOUND;
	return why_set(&kw->write->why, E_FORBIDDEN, "there is something else of this name: it has to go first");
}

static void on_read(struct kube_write *kw)
{
	struct object *o = NULL;
	enum err err = kube_outcome(&kw->fetch, &kw->write->why);

	if (err == E_NOT_FOUND)
		kube_entry_bury(kw->entry);
	else if (err == E_OK)
		err = read_answer(kw, &o);
	if (o && !kube_is_selected(o))
		err = found_another(kw);
	else if (o)
		kube_entry_take(kw->entry, o, /* gone= */ false);
	object_unref(o);
	if (err == E_OK || err == E_NOT_FOUND)
		try_again(kw);
	else
		fail(kw, err);
}

static void read_first(struct kube_write *kw)
{
	kw->read = true;
	set_target(kw, kw->object->name);
	request(kw, "GET", on_read);
}

/* The write has failed whatever there is: what it made is told behind that. */
static void on_looked(struct kube_write *kw)
{
	struct object *o = NULL;
	enum err err = kube_outcome(&kw->fetch, NULL);

	if (err == E_OK)
		(void)kube_object_read(kw->object, buf_view(&kw->fetch.answer), NULL, &o);
	if (o && !kube_is_selected(o))
		object_unref(TAKE(o));
	finish(kw, kw->write->why.err, o, /* gone= */ err == E_NOT_FOUND);
	object_unref(o);
}

/* It may have been done: a deletion that is asked for before the watch says so would find nothing to delete. */
static void look_behind(struct kube_write *kw)
{
	set_target(kw, kw->object->name);
	request(kw, "GET", on_looked);
}

/* The server knows of something that we do not: it is looked at, and the write is tried a second time where it fits then. */
static void refused(struct kube_write *kw, enum err err)
{
	bool somebody_was_faster = err == E_CONFLICT || err == E_EXISTS || err == E_NOT_FOUND;

	if (somebody_was_faster && !kw->read)
		read_first(kw);
	else if (kw->fetch.err != E_OK)
		look_behind(kw);
	else
		fail(kw, err);
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static void on_written(struct kube_write *kw)
{
	struct why *why = &kw->write->why;
	struct object *o = NULL;
	enum err err = kube_outcome(&kw->fetch, why);

	if (err != E_OK) {
		refused(kw, err);
		return;
	}
	err = read_answer(kw, &o);
	if (err == E_OK)
		finish(kw, E_OK, o, /* gone= */ false);
	else
		fail(kw, why_add(why, "the answer to a write"));
	object_unref(o);
}

/* The server would refuse a new finalizer there, and with it the whole write (422). */
static enum err fit_to_going(json_object *there, struct buf *body, struct why *why)
{
	json_object *tree = NULL;
	enum err err = tree_parse(buf_view(body), why, &tree);

	if (err == E_OK)
		err = apply_to_going(there, tree);
	buf_clear(body);
	if (err == E_OK)
		err = tree_write(tree, body, why);
	json_object_put(tree);
	return err;
}

static enum err replacement(const struct kube_write *kw, const struct object *current, struct buf *body)
{
	const struct apply_ids ids = { current->uid, current->version };
	struct why *why = &kw->write->why;
	json_object *there;
	enum err err = apply_text(kw->write->verb, kw->object, current, &ids, body, why);

	if (err != E_OK)
		return err;
	there = object_tree(current);
	if (!there)
		return why_set(why, E_NOMEM, "object");
	if (apply_is_going(there))
		err = fit_to_going(there, body, why);
	json_object_put(there);
	return err;
}

static void replace(struct kube_write *kw, const struct object *current)
{
	enum err err;

	set_target(kw, kw->object->name);
	err = replacement(kw, current, &kw->body);
	if (err == E_OK)
		request(kw, "PUT", on_written);
	else
		fail(kw, err);
}

/* ---- making --------------------------------------------------------------------------------------------------------- */

/* What the server gives an object, or would refuse in a new one. */
static enum err new_text(const struct object *o, struct buf *ret_text, struct why *why)
{
	static const char *const not_ours[] = {
		"uid",           "resourceVersion", "creationTimestamp", "generation",
		"managedFields", "selfLink",        "deletionTimestamp", "deletionGracePeriodSeconds",
	};
	json_object *tree = object_tree_own(o);
	json_object *metadata = tree_member(tree, "metadata");
	enum err err = metadata ? E_OK : why_set(why, E_NOMEM, "object");

	if (err == E_OK) {
		for (size_t i = 0; i < ARRAY_LEN(not_ours); i++)
			json_object_object_del(metadata, not_ours[i]);
		json_object_object_del(tree, "status");
		err = tree_write(tree, ret_text, why);
	}
	json_object_put(tree);
	return err;
}

static void create(struct kube_write *kw);

static void on_namespace(struct kube_write *kw)
{
	enum err err = kube_outcome(&kw->fetch, &kw->write->why);

	if (err == E_OK || err == E_EXISTS)
		create(kw);
	else
		fail(kw, err);
}

static void make_namespace(struct kube_write *kw)
{
	kw->namespace_made = true;
	buf_clear(&kw->target);
	buf_clear(&kw->body);
	buf_lit(&kw->target, "/api/v1/namespaces");
	buf_addf(&kw->body,
		 "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"%s\",\"labels\":%.*s}}",
		 kw->object->namespace, STR_ARG(buf_view(&kw->entry->kube->namespace_labels)));
	request(kw, "POST", on_namespace);
}

static enum err say_missing(struct kube_write *kw)
{
	struct why *why = &kw->write->why;

	why->err = E_UNAVAILABLE;
	if (!strstr(why->text, "namespaces"))
		return why->err; /* the custom resources are not installed */
	if (kw->entry->kube->namespace_pattern)
		return why_add(why, "make the namespace %s, or let --namespace-create-pattern match it",
			       kw->object->namespace);
	return why_add(why, "make the namespace %s, or let holdfast do so (%s)", kw->object->namespace,
		       "--namespace-create-enable; at an agent --create-namespace");
}

static bool may_make_namespace(const struct kube_write *kw)
{
	const struct kubernetes *k = kw->entry->kube;
	bool yes = !k->namespace_pattern;

	if (!k->create_namespaces || kw->namespace_made)
		return false;
	return yes || (regex_match(k->namespace_pattern, str_of(kw->object->namespace), &yes, NULL) == E_OK && yes);
}

/* A new object is not found when its namespace is not: that is no state of the object. */
static void on_created(struct kube_write *kw)
{
	if (kube_outcome(&kw->fetch, &kw->write->why) != E_NOT_FOUND) {
		on_written(kw);
		return;
	}
	if (may_make_namespace(kw))
		make_namespace(kw);
	else
		fail(kw, say_missing(kw));
}

static void create(struct kube_write *kw)
{
	enum err err;

	set_target(kw, NULL);
	err = new_text(kw->object, &kw->body, &kw->write->why);
	if (err == E_OK)
		request(kw, "POST", on_created);
	else
		fail(kw, err);
}

/* ---- deleting ------------------------------------------------------------------------------------------------------- */

/* With finalizers it is still there, and the answer is the object; else it is a Status. */
static void on_deleted(struct kube_write *kw)
{
	enum err err = kube_outcome(&kw->fetch, &kw->write->why);
	struct object *o = NULL;

	if (err != E_OK) {
		refused(kw, err);
		return;
	}
	if (kube_is_status(buf_view(&kw->fetch.answer))) {
		finish(kw, E_OK, NULL, /* gone= */ true);
		return;
	}
	err = read_answer(kw, &o);
	finish(kw, err, err == E_OK ? o : NULL, /* gone= */ false);
	object_unref(o);
}

static void delete_object(struct kube_write *kw, const struct object *current)
{
	set_target(kw, kw->object->name);
	buf_lit(&kw->body, "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":\"Background\","
			   "\"preconditions\":{\"uid\":");
	buf_json(&kw->body, str_of(current->uid));
	if (kw->write->expect_version) {
		buf_lit(&kw->body, ",\"resourceVersion\":");
		buf_json(&kw->body, str_of(current->version));
	}
	buf_lit(&kw->body, "}}");
	request(kw, "DELETE", on_deleted);
}

/* ---- from the beginning ---------------------------------------------------------------------------------------------- */

/* What is expected fits what is known. */
static void send_write(struct kube_write *kw)
{
	const struct object *current = kw->entry->object;

	if (!current)
		create(kw);
	else if (kw->write->verb == BACKEND_DELETE)
		delete_object(kw, current);
	else
		replace(kw, current);
}

static void try_again(struct kube_write *kw)
{
	enum err err;

	kw->write->why = (struct why){ 0 };
	err = apply_check(kw->write, kw->entry->object, &kw->write->why);
	if (err == E_OK)
		send_write(kw);
	else
		fail(kw, err);
}

/* What could be written and would never be heard of again. */
static enum err check_place(struct kube_write *kw)
{
	const struct object *o = kw->object;
	struct why *why = &kw->write->why;

	if (!kube_scopes_cover(kw->entry->kube, o))
		return why_set(why, E_FORBIDDEN, "the namespace %s is not watched for %ss%s", o->namespace,
			       object_kind_name(o->kind),
			       o->kind == OBJECT_APPLICATION ? ": name it in --allowed-namespaces" : "");
	if (kw->write->verb != BACKEND_PUT || kube_is_selected(o))
		return E_OK;
	return why_set(why, E_MALFORMED, "Argo CD would not know it: %s",
		       o->kind == OBJECT_GPGKEY ? "keys have another name"
						: "the label argocd.argoproj.io/secret-type is missing");
}

/* Not from inside the call that gave it. */
static void on_start(struct loop_task *task)
{
	struct kube_write *kw = CONTAINER_OF(task, struct kube_write, start);
	enum err err = check_place(kw);

	if (err != E_OK)
		fail(kw, err);
	else if (apply_check(kw->write, kw->entry->object, NULL) == E_OK)
		send_write(kw);
	else
		read_first(kw);
}

void kube_write_begin(struct kubernetes *k, struct backend_write *w)
{
	const struct object *o = w->object;
	struct kube_entry *e = kube_entry_make(k, o->kind, o->namespace, o->name);
	struct kube_write *kw = e ? mem_alloc(sizeof(*kw)) : NULL;

	if (!kw) {
		w->err = why_set(&w->why, E_NOMEM, "write");
		w->backend_data = k->refused;
		k->refused = w;
		kube_look(k);
		return;
	}
	kw->entry = e;
	kw->write = w;
	kw->object = object_ref(w->object);
	kw->start.run = on_start;
	if (e->last)
		e->last->next = kw;
	else
		e->first = kw;
	e->last = kw;
	if (e->first == kw)
		loop_post(k->loop, &kw->start);
}
