/*
 * tls_ctx.h -- what a session takes from its server. Internal to net.
 */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"

/* A connection object with the certificate of this moment; NULL without memory. */
SSL *tls_server_ssl(struct tls_server *t);
