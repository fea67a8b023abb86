#include "rpc/symbols.h"

#include "base/mem.h"
#include "descriptor.pb-c.h"
#include "rpc/pb.h"

typedef Holdfast__Descriptor__File descriptor_file;
typedef Holdfast__Descriptor__Message descriptor_message;
typedef Holdfast__Descriptor__Service descriptor_service;

/* Its symbols are one text, terminated each: the map's keys lie there. */
struct symbols_file {
	struct symbols_file *next;
	const struct rpc_file *file;
	descriptor_file *descriptor;
	struct buf names;
};

static void file_free(struct symbols_file *f)
{
	if (!f)
		return;
	pb_free((ProtobufCMessage *)f->descriptor);
	buf_release(&f->names);
	mem_free(f);
}

DEFINE_FREEP(file, struct symbols_file, file_free)

/* "scope.name", terminated; nothing in front of it when the scope is empty. Returns where it begins. */
static size_t put_name(struct buf *names, struct str scope, const char *name)
{
	size_t from = names->n;

	buf_addf(names, scope.n ? "%.*s.%s" : "%.*s%s", STR_ARG(scope), name);
	buf_char(names, '\0');
	return from;
}

/* The scope lies in the same text, which moves as it grows. */
static struct str name_at(const struct buf *names, size_t from)
{
	return names->err == E_OK ? str_of(names->p + from) : (struct str){ 0 };
}

static enum err put_in(struct buf *names, size_t scope_at, const char *name, size_t *ret_from)
{
	char *scope = str_dup(name_at(names, scope_at));

	if (!scope)
		return E_NOMEM;
	*ret_from = put_name(names, str_of(scope), name);
	mem_free(scope);
	return names->err;
}

/* Messages lie in each other; protobuf allows 100 levels, and so do we. */
static enum err put_message(struct buf *names, size_t scope_at, const descriptor_message *m, unsigned depth)
{
	size_t at, ignored;
	enum err err = depth < 100 ? put_in(names, scope_at, m->name, &at) : E_MALFORMED;

	for (size_t i = 0; i < m->n_nested_type && err == E_OK; i++)
		err = put_message(names, at, m->nested_type[i], depth + 1);
	for (size_t i = 0; i < m->n_enum_type && err == E_OK; i++)
		err = put_in(names, at, m->enum_type[i]->name, &ignored);
	return err;
}

static enum err put_service(struct buf *names, size_t scope_at, const descriptor_service *service)
{
	size_t at, ignored;
	enum err err = put_in(names, scope_at, service->name, &at);

	for (size_t i = 0; i < service->n_method && err == E_OK; i++)
		err = put_in(names, at, service->method[i]->name, &ignored);
	return err;
}

/* The package stands first: it is the scope of all others. */
static enum err put_names(struct symbols_file *f)
{
	const descriptor_file *d = f->descriptor;
	size_t ignored;
	enum err err;

	put_name(&f->names, (struct str){ 0 }, d->package);
	err = f->names.err;
	for (size_t i = 0; i < d->n_message_type && err == E_OK; i++)
		err = put_message(&f->names, 0, d->message_type[i], 0);
	for (size_t i = 0; i < d->n_enum_type && err == E_OK; i++)
		err = put_in(&f->names, 0, d->enum_type[i]->name, &ignored);
	for (size_t i = 0; i < d->n_service && err == E_OK; i++)
		err = put_service(&f->names, 0, d->service[i]);
	return err;
}

/* From here on the maps borrow from `f`. */
static enum err publish(struct symbols *s, struct symbols_file *f)
{
	struct str rest = buf_view(&f->names);
	enum err err = map_put(&s->files, str_of(f->file->name), f);

	(void)str_cut(&rest, '\0'); /* the package is no symbol */
	while (rest.n && err == E_OK)
		err = map_put(&s->names, str_cut(&rest, '\0'), f);
	return err;
}

enum err symbols_add(struct symbols *s, const struct rpc_file *file)
{
	CLEANUP(file_freep) struct symbols_file *f = NULL;
	enum err err;

	if (map_get(&s->files, str_of(file->name)))
		return E_OK;
	f = mem_alloc(sizeof(*f));
	if (!f)
		return E_NOMEM;
	f->file = file;
	err = pb_read(&holdfast__descriptor__file__descriptor, file->descriptor, (ProtobufCMessage **)&f->descriptor);
	if (err == E_OK)
		err = put_names(f);
	if (err != E_OK)
		return err;
	f->next = s->first;
	s->first = TAKE(f);
	return publish(s, s->first);
}

const struct symbols_file *symbols_of_file(const struct symbols *s, struct str name)
{
	return map_get(&s->files, name);
}

const struct symbols_file *symbols_of_name(const struct symbols *s, struct str symbol)
{
	return map_get(&s->names, symbol);
}

static bool has(const struct symbols_file *const *list, size_t n, const struct symbols_file *file)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == file)
			return true;
	return false;
}

size_t symbols_closure(const struct symbols *s, const struct symbols_file *file, const struct rpc_file **ret_files,
		       size_t max)
{
	const struct symbols_file *list[64];
	size_t n = 0;

	if (max > ARRAY_LEN(list))
		max = ARRAY_LEN(list);
	if (max)
		list[n++] = file;
	for (size_t at = 0; at < n; at++) {
		const descriptor_file *d = list[at]->descriptor;

		ret_files[at] = list[at]->file;
		for (size_t i = 0; i < d->n_dependency; i++) {
			const struct symbols_file *f = symbols_of_file(s, str_of(d->dependency[i]));

			if (f && n < max && !has(list, n, f))
				list[n++] = f;
		}
	}
	return n;
}

void symbols_release(struct symbols *s)
{
	while (s->first) {
		struct symbols_file *f = s->first;

		s->first = f->next;
		file_free(f);
	}
	map_release(&s->files);
	map_release(&s->names);
}
