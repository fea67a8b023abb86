#include "net/http_page.h"

void http_text(struct http_request *r, unsigned status, struct str text)
{
	http_respond(r, &(struct http_response){
				.status = status, .content_type = STR("text/plain; charset=utf-8"), .body = text });
}

void http_metrics(struct http_request *r, struct metrics *registry)
{
	struct str accept = http_field(r, STR("Accept"), NULL);
	bool openmetrics = str_contains(accept, STR("application/openmetrics-text"));
	struct buf text = { 0 };

	metrics_write(registry, openmetrics, &text);
	if (text.err != E_OK)
		http_text(r, 503, STR("no memory; try again later\n"));
	else
		http_respond(r,
			     &(struct http_response){
				     .status = 200,
				     .content_type = openmetrics ? STR("application/openmetrics-text; version=1.0.0; "
								       "charset=utf-8")
								 : STR("text/plain; version=0.0.4; charset=utf-8"),
				     .body = buf_view(&text) });
	buf_release(&text);
}
