#include "base/mem.h"
#include "sync/source_impl.h"
#include "wire/ids.h"

void source_command_put(struct copy *c, struct command *command)
{
	struct command **at = &c->commands;

	while (*at && (*at)->number <= command->number)
		at = &(*at)->next;
	command->next = *at;
	*at = command;
}

void source_command_drop(struct copy *c, struct command *command)
{
	struct command **at = &c->commands;

	while (*at != command)
		at = &(*at)->next;
	*at = command->next;
	blob_unref(command->message);
	mem_free(command);
}

/* The finished message of a command. */
static enum err write_message(struct source *s, const struct copy *c, enum wire_type type, struct str event_id,
			      struct blob **ret_message)
{
	struct wire_event e = { .type = type,
				.source = peer_source(s->o.peer),
				.resource_id = str_of(c->resource_id),
				.event_id = event_id,
				.content_type = STR("application/json") };
	struct buf message = { 0 };
	enum err err;

	buf_clear(&s->arena);
	err = s->o.rules.compose(s->o.rules.ctx, type, c->entry->truth, &s->arena, &e);
	if (err == E_OK)
		err = wire_event_encode(&e, &message);
	*ret_message = err == E_OK ? blob_new(buf_view(&message)) : NULL;
	buf_release(&message);
	return err == E_OK && !*ret_message ? E_NOMEM : err;
}

static enum err command_new(struct source *s, struct copy *c, enum wire_type type, struct command **ret_command)
{
	CLEANUP(buf_release) struct buf id = { .max = DELIVERY_TEXT_MAX };
	CLEANUP(mem_freep) struct command *command = NULL;
	enum err err;

	wire_event_id(type, str_of(c->entry->name), str_of(c->uid), str_of(c->entry->truth->version), &id);
	if (id.err != E_OK)
		return id.err;
	command = mem_alloc(sizeof(*command) + id.n + 1);
	if (!command)
		return E_NOMEM;
	memcpy(command->event_id, id.p, id.n);
	err = write_message(s, c, type, buf_view(&id), &command->message);
	if (err == E_OK)
		*ret_command = TAKE(command);
	return err;
}

/* Its row, and that it was made for this operation, in one transaction; then it may go. */
static enum err keep_command(struct source *s, struct copy *c, struct command *command)
{
	if (source_write_command(s, c, command, /* remove= */ false) != E_OK ||
	    source_write_copy(s, c, /* remove= */ false) != E_OK)
		return E_NOMEM;
	return source_tell(s, c, command->event_id);
}

static uint64_t next_number(const struct copy *c)
{
	uint64_t number = 0;

	for (const struct command *command = c->commands; command; command = command->next)
		number = command->number;
	return number + 1;
}

static enum err begin_command(struct source *s, struct copy *c, enum wire_type type, const struct digest *wanted,
			      struct digest *recorded)
{
	struct digest before = *recorded;
	struct command *command;
	enum err err;

	if (digest_eq(wanted, recorded))
		return E_OK;
	*recorded = *wanted;
	if (digest_is_empty(wanted))
		return source_write_copy(s, c, /* remove= */ false);
	err = command_new(s, c, type, &command);
	if (err != E_OK) {
		*recorded = before;
		return err;
	}
	command->number = next_number(c);
	source_command_put(c, command);
	err = keep_command(s, c, command);
	if (err != E_OK) {
		*recorded = before;
		source_command_drop(c, command);
	}
	return err;
}

enum err source_bury_commands(struct source *s, struct copy *c)
{
	for (struct command *command = c->commands, *next; command; command = next) {
		next = command->next;
		if (!command->over)
			continue;
		if (source_write_command(s, c, command, /* remove= */ true) != E_OK ||
		    source_tell(s, c, SOURCE_BURIAL) != E_OK)
			return E_NOMEM;
		c->burials++;
		source_command_drop(c, command);
	}
	return E_OK;
}

/*
 * Into the outbox, but no more than the peer remembers: after a crash, those whose removal was not durable are said again, and the
 * peer has to know them all.
 */
static enum err hold_commands(struct source *s, struct copy *c, uint64_t now_ms)
{
	const struct entry *e = c->entry;
	struct delivery_event event = { .type = DELIVERY_COMMAND,
					.kind = str_of(object_kind_name(e->kind)),
					.namespace = str_of(e->namespace),
					.name = str_of(e->name),
					.resource_id = str_of(c->resource_id) };
	unsigned room = c->burials < DELIVERY_COMMANDS ? DELIVERY_COMMANDS - c->burials : 0;
	enum err err = E_OK;

	for (struct command *command = c->commands; command && room-- && err == E_OK; command = command->next) {
		if (command->held)
			continue;
		if (!command->kept)
			break; /* those behind it are newer, and not kept either */
		event.event_id = str_of(command->event_id);
		event.bytes = command->message;
		err = peer_add(s->o.peer, &event, now_ms);
		command->held = err == E_OK;
	}
	return err;
}

enum err source_sync_commands(struct source *s, struct copy *c, uint64_t now_ms)
{
	const struct source_state *state = &c->entry->state;
	enum err err = begin_command(s, c, WIRE_SET_OPERATION, &state->operation, &c->operation);

	if (err == E_OK)
		err = begin_command(s, c, WIRE_TERMINATE_OPERATION, &state->terminate, &c->terminate);
	return err == E_OK ? hold_commands(s, c, now_ms) : err;
}
