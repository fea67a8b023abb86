#include "report.h"

#include "base/mem.h"

static const struct {
	const char *name, *key;
	double percent;
} percentiles[] = {
	{ "p50", "p50", 50 },      { "p90", "p90", 90 },  { "p99", "p99", 99 },
	{ "p99.9", "p999", 99.9 }, { "max", "max", 100 },
};

void report_take(struct report *r, const struct driver *d)
{
	r->sent += d->seen.sent;
	r->acked += d->seen.acked;
	r->refused += d->seen.refused;
	r->lost += d->seen.lost;
	r->retried += d->seen.retried;
	r->opened += d->seen.opened;
	r->unsent += d->unsent;
	r->measured += d->measured;
	if (d->last_ns > r->last_ns)
		r->last_ns = d->last_ns;
	for (size_t i = 0; i < DRIVER_STATUS_MAX; i++)
		r->statuses[i] += d->statuses[i];
	hist_merge(&r->latency, &d->latency);
}

static double seconds_of(const struct report *r)
{
	return r->last_ns > r->start_ns ? (double)(r->last_ns - r->start_ns) / 1e9 : 0;
}

double report_rate(const struct report *r)
{
	double seconds = seconds_of(r);

	return seconds > 0 ? (double)r->measured / seconds : 0;
}

static void row(FILE *to, const char *name, uint64_t value, const char *meaning)
{
	(void)fprintf(to, "  %-14s %12llu  %s\n", name, (unsigned long long)value, meaning);
}

void report_table(const struct report *r, FILE *to)
{
	(void)fprintf(to, "hfload run %s, %llu connections, ", r->run, (unsigned long long)r->connections);
	if (r->rate)
		(void)fprintf(to, "open loop at %llu/s\n", (unsigned long long)r->rate);
	else
		(void)fprintf(to, "closed loop\n");
	row(to, "sent", r->sent, "");
	row(to, "acknowledged", r->acked, "answered 2xx");
	row(to, "refused", r->refused, "answered something else");
	for (size_t i = 0; i < DRIVER_STATUS_MAX; i++) {
		if ((i < 200 || i > 299) && r->statuses[i])
			(void)fprintf(to, "    %-12zu %12llu\n", i, (unsigned long long)r->statuses[i]);
	}
	row(to, "no answer", r->lost, "connection lost or time-out; the outcome is unknown");
	row(to, "sent again", r->retried, "with the same id");
	if (r->rate)
		row(to, "never sent", r->unsent, "due, but every connection was busy to the end");
	row(to, "connections", r->opened, "opened");
	(void)fprintf(to, "  %-14s %12.0f  acknowledged a second, over %.2f s\n", "rate", report_rate(r),
		      seconds_of(r));
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		(void)fprintf(to, "  %-14s %12.1f  us\n", percentiles[i].name,
			      (double)hist_at(&r->latency, percentiles[i].percent) / 1e3);
	(void)fprintf(to, "  %-14s %12.2f  us of this process per acknowledged request\n", "generator CPU", r->cpu_us);
}

void report_json(const struct report *r, struct buf *ret_line)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{ "connections", r->connections }, { "sent", r->sent },       { "acked", r->acked },
		{ "refused", r->refused },         { "unanswered", r->lost }, { "retried", r->retried },
		{ "unsent", r->unsent },           { "opened", r->opened },   { "measured", r->measured },
	};
	const char *comma = "";

	buf_addf(ret_line, "{\"run\":\"%s\",\"mode\":\"%s\",\"rate_asked\":%llu", r->run, r->rate ? "open" : "closed",
		 (unsigned long long)r->rate);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		buf_addf(ret_line, ",\"%s\":%llu", counts[i].key, (unsigned long long)counts[i].value);
	buf_addf(ret_line, ",\"seconds\":%.3f,\"rate\":%.1f,\"cpu_us\":%.3f,\"latency_us\":{\"mean\":%.1f",
		 seconds_of(r), report_rate(r), r->cpu_us, (double)hist_mean(&r->latency) / 1e3);
	for (size_t i = 0; i < ARRAY_LEN(percentiles); i++)
		buf_addf(ret_line, ",\"%s\":%.1f", percentiles[i].key,
			 (double)hist_at(&r->latency, percentiles[i].percent) / 1e3);
	buf_lit(ret_line, "},\"statuses\":{");
	for (size_t i = 0; i < DRIVER_STATUS_MAX; i++) {
		if (!r->statuses[i])
			continue;
		buf_addf(ret_line, "%s\"%zu\":%llu", comma, i, (unsigned long long)r->statuses[i]);
		comma = ",";
	}
	buf_lit(ret_line, "}}\n");
}
