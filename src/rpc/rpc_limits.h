/*
 * rpc_limits.h -- every limit that a gRPC peer can reach, a row each.
 * Included with X defined; struct rpc_limits, its defaults, the docs and the tests come from these rows.
 */
/* clang-format off */
/* field            type   min    max          default    unit     meaning */
X(message_max,      SIZE,  1024,  2ull << 30,  200 << 20, "bytes", "One message, packed or not; a longer one ends its call with RESOURCE_EXHAUSTED.")
X(conn_memory,      SIZE,  65536, 1ull << 40,  512 << 20, "bytes", "Messages of one connection that have begun and not ended; the call that would exceed it ends with RESOURCE_EXHAUSTED.")
X(memory,           SIZE,  65536, 1ull << 40,  1ull << 30, "bytes", "The same over all connections of a server.")
X(stranger_memory,  SIZE,  0,     1ull << 40,  0,          "bytes", "Of one connection for which no service has vouched yet: header fields and messages, and as much again of answers. 0: all are vouched for.")
X(send_queue,       SIZE,  1024,  1ull << 30,  256 << 10, "bytes", "Messages of one call that wait to be sent, before the sender is told to wait; one message may exceed it.")
X(conn_send_queue,  SIZE,  65536, 1ull << 40,  64 << 20,  "bytes", "The same over all calls of one connection; each call may queue one message in any case.")
X(stream_window,    SIZE,  65535, 1 << 30,     256 << 10, "bytes", "Bytes of one call that the peer may send ahead of what was taken.")
X(conn_window,      SIZE,  65535, 1 << 30,     16 << 20,  "bytes", "Bytes of all calls of one connection in flight to us.")
X(streams_max,      COUNT, 1,     1000000,     100,       "",      "Calls open at a time on one connection.")
X(headers_max,      SIZE,  1024,  1 << 20,     16 << 10,  "bytes", "Header fields of one call, 32 added to each; a call with more ends with RESOURCE_EXHAUSTED, the connection at eight times as much.")
X(continuations,    COUNT, 1,     1000,        8,         "",      "CONTINUATION frames behind one HEADERS frame.")
X(conns_max,        COUNT, 1,     1000000,     10000,     "",      "Connections of one server; for a further one the oldest that nobody has vouched for is closed, or itself.")
X(resets_per_s,     COUNT, 1,     1000000,     100,       "1/s",   "Streams that a peer resets, or makes us reset; ten seconds' worth may come at once.")
X(pings_per_s,      COUNT, 1,     1000000,     100,       "1/s",   "PING frames; ten seconds' worth may come at once.")
X(settings_per_s,   COUNT, 1,     1000000,     10,        "1/s",   "SETTINGS frames; ten seconds' worth may come at once.")
X(empties_per_s,    COUNT, 1,     1000000,     1000,      "1/s",   "Frames that carry nothing: empty DATA, PRIORITY; ten seconds' worth may come at once.")
X(handshake_ms,     TIME,  100,   600000,      10000,     "ms",    "From the connection to the end of TLS and the first SETTINGS of HTTP/2.")
X(head_ms,          TIME,  100,   600000,      10000,     "ms",    "From the first frame of a call's header to its last.")
X(idle_ms,          TIME,  1000,  86400000,    300000,    "ms",    "Without a call; then a server says GOAWAY and closes.")
X(write_ms,         TIME,  100,   3600000,     30000,     "ms",    "For the peer's kernel to take bytes that wait; then the connection is closed.")
X(keepalive_ms,     TIME,  0,     86400000,    60000,     "ms",    "Without a byte from the peer; then it is pinged. 0: never.")
X(keepalive_timeout_ms, TIME, 100, 600000,     20000,     "ms",    "For the answer to that ping; then the connection is closed.")
/* clang-format on */
