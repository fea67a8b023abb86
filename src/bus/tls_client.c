#include "bus/tls_client.h"

#include "base/file.h"
#include "base/mem.h"

#define KEY_MAX (64 << 10)

enum err tls_client_check_key(const char *path, struct why *why)
{
	CLEANUP(buf_wipe) struct buf pem = { 0 };
	enum err err = file_read(path, KEY_MAX, &pem, why);

	if (err)
		return err == E_NOMEM ? err : E_CONFIG;
	if (str_contains(buf_view(&pem), STR("ENCRYPTED")))
		return why_set(why, E_CONFIG, "%s: it wants a password, for which nobody is asked", path);
	return E_OK;
}
