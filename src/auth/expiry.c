#include "auth/expiry.h"

#include "auth/pki.h"
#include "base/clock.h"
#include "base/log.h"

static const struct metric_family expires = {
	.name = "holdfast_certificate_expires_timestamp_seconds",
	.type = METRIC_GAUGE,
	.scale = 1e-3,
	.help = "When the first certificate of this process expires; 0: it has none.",
};

void expiry_show(struct metrics *m, int64_t expires_ms)
{
	metric_set(metrics_get(m, &expires, NULL), expires_ms);
}

int64_t expiry_shown(struct metrics *m)
{
	return metric_value(metrics_get(m, &expires, NULL));
}

void expiry_tell(const char *logger, struct metrics *m, const struct pem *cert)
{
	bool is_there = pem_is_there(cert);
	char text[CLOCK_RFC3339_MAX];
	int64_t expires_ms = 0;
	struct why why;

	if (is_there && pki_expiry(cert, &why, &expires_ms) != E_OK)
		return; /* who opens it says so */
	expiry_show(m, expires_ms);
	if (!is_there || expires_ms > clock_wall_ms())
		return;
	(void)clock_rfc3339(expires_ms * 1000000, text);
	log_error(logger, "our certificate has expired: whoever checks it refuses to talk to us",
		  LOG_S("file", cert->name), LOG_S("expired", text));
}
