#include "daemon/expiry.h"

#include "auth/pki.h"
#include "base/clock.h"
#include "base/log.h"

void expiry_tell(const char *logger, const char *cert_path)
{
	char text[CLOCK_RFC3339_MAX];
	int64_t expires_ms;
	struct why why;

	if (!cert_path || pki_expiry(cert_path, &why, &expires_ms) != E_OK || expires_ms > clock_wall_ms())
		return;
	(void)clock_rfc3339(expires_ms * 1000000, text);
	log_error(logger, "our certificate has expired: whoever checks it refuses to talk to us",
		  LOG_S("file", cert_path), LOG_S("expired", text));
}
