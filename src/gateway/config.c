#include "gateway/config.h"

#include "base/mem.h"
#include "gateway/config_read.h"

static void reader_release(struct config_reader *r)
{
	for (size_t i = 0; i < r->buses.count; i++)
		if (r->parsed)
			config_bus_release(&r->parsed[i]);
	for (size_t i = 0; i < r->file_count; i++)
		doc_free(r->files[i]);
	fields_release(&config_process_table, &r->process);
	mem_free(r->files);
	mem_free(r->sources.items);
	mem_free(r->buses.items);
	mem_free(r->places);
	mem_free(r->parsed);
}

static bool read_all(struct config_reader *r)
{
	return config_read_manifests(r) && config_read_holdfast(r) && config_read_buses(r) && config_choose_bus(r) &&
	       config_read_sources(r) && config_check(r);
}

enum err gateway_config_load(const char *const *paths, size_t count, struct problems *problems,
			     struct gateway_config **ret_config)
{
	const struct config_input input = { .files = paths, .file_count = count, .elsewhere = true };

	return gateway_config_read(&input, problems, ret_config);
}

enum err gateway_config_read(const struct config_input *input, struct problems *problems,
			     struct gateway_config **ret_config)
{
	struct config_reader r = { .problems = problems, .input = input, .config = mem_alloc(sizeof(*r.config)) };
	enum err err = E_CONFIG;

	if (!r.config)
		return problem_nomem(problems);
	atomic_init(&r.config->refs, 1);
	if (!read_all(&r))
		err = problem_nomem(problems);
	else if (!problems_fatal(problems))
		err = E_OK;
	reader_release(&r);
	if (err == E_OK)
		*ret_config = r.config;
	else
		gateway_config_unref(r.config);
	return problems->lost ? E_NOMEM : err;
}

struct gateway_config *gateway_config_ref(struct gateway_config *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void gateway_config_unref(struct gateway_config *c)
{
	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < c->route_count; i++)
		config_route_release(&c->routes[i]);
	mem_free(c->routes);
	config_bus_release(&c->bus);
	mem_free(c->data_dir);
	mem_free(c->admin_host);
	mem_free(c->admin_token_file);
	mem_free(c);
}
