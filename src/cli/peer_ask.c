#include "cli/peer_ask.h"

#include <limits.h>

#include "auth/agent.h"
#include "cli/data_dir.h"
#include "cli/gateway_client.h"
#include "cli/out.h"

static enum err ask(const char *dir, struct buf *path, struct buf *ret_answer, struct why *why)
{
	struct gateway_client client;
	enum err err = gateway_client_init(&client, dir, why);

	if (err == E_OK && !buf_cstr(path))
		err = why_set(why, E_NOMEM, "%s", err_text(E_NOMEM));
	if (err == E_OK)
		err = gateway_client_call(&client, "POST", path->p, why, ret_answer);
	if (err == E_NOT_FOUND || err == E_UNAVAILABLE)
		err = why_set(why, err, "no principal or agent runs on %s: give its --data-dir", dir);
	gateway_client_release(&client);
	return err;
}

int peer_ask(const struct invocation *inv, const char *data_dir, const char *what, const char *more)
{
	const char *agent = inv->operands[0];
	struct buf path = { .max = 256 }, answer = { 0 };
	struct why why = { 0 };
	char dir[PATH_MAX];
	enum err err;

	if (!agent_name_ok(str_of(agent)))
		return command_misused(inv, "'%s' is no name of an agent: 1 to 63 lower-case letters, digits and '-'",
				       agent);
	buf_addf(&path, "/%s?agent=%s%s", what, agent, more);
	err = data_dir_of_peer(data_dir, sizeof(dir), dir, &why);
	if (err == E_OK)
		err = ask(dir, &path, &answer, &why);
	buf_release(&path);
	if (err == E_OK)
		return out_print(&answer);
	buf_release(&answer);
	return command_failed(inv, "%s", why.text);
}
