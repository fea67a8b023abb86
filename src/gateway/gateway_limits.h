/*
 * gateway_limits.h -- every process-wide limit of the gateway, a row each (keys under spec.holdfast.limits).
 * Included with X defined; the parser, check-config, the docs and the tests come from these rows.
 */
/* clang-format off */
/* field               key                    type  min    max              default     unit    meaning */
X(loops,               "loops",               COUNT, 0,    256,             0,          "",     "Event loops, each on a thread of its own; 0 is one per CPU that it may use, or as its container's CPU quota grants, rounded up.")
X(body_memory,         "bodyMemory",          SIZE, 0,     1ull << 40,      0,          "bytes", "Bodies held in memory by all requests together, as far as they have come; who does not fit is answered 503 with Retry-After. 0 is 64MiB, or a third of the container's memory limit where that is less, but at least the largest `maxPayloadSize`.")
X(head_max,            "headerSize",          SIZE, 1024,  1 << 20,         16 << 10,   "bytes", "Request line and header fields; more answers 431.")
X(conns_max,           "connections",         COUNT, 0,    1000000,         0,          "",     "Open connections over all ports; a further one is closed at once. 0 is 10000, or one for each 64KiB of the container's memory limit where that is less; and the limit of open files is kept to, less 128.")
X(conns_per_addr_max,  "connectionsPerAddress", COUNT, 0,  1000000,         0,          "",     "Open connections of one client address, of IPv6 one network of 64 bits; 0 is no limit.")
X(head_ms,             "headerTimeout",       TIME, 100,   600000,          10000,      "ms",   "From the first byte of a request to the end of its header; more answers 408.")
X(body_ms,             "bodyTimeout",         TIME, 100,   3600000,         30000,      "ms",   "From the end of the header to the end of the body; more answers 408.")
X(idle_ms,             "idleTimeout",         TIME, 1000,  3600000,         120000,     "ms",   "Between two requests of a connection; then it is closed. A proxy in front should close first: nginx does after 60s, Envoy after 1h.")
X(write_ms,            "writeTimeout",        TIME, 100,   600000,          10000,      "ms",   "For a client to take its answer; then the connection is closed.")
X(drain_ms,            "drainTimeout",        TIME, 0,     600000,          10000,      "ms",   "After SIGTERM, for requests in flight, a fifth of it for the first one of a connection to begin; then they are cut.")
X(store_max,           "storeSize",           SIZE, 1 << 20, 1ull << 46,    10ull << 30, "bytes", "Cap on the store. At 85 % a warning, at the cap new events are refused with 503.")
X(retain_age_ms,       "retainAge",           TIME, 0,     315360000000ull, 0,          "ms",   "Events the bus has taken are kept this long. 0 is 72h; on the embedded bus, which is read from here, for ever.")
X(retain_bytes,        "retainSize",          SIZE, 0,     1ull << 46,      0,          "bytes", "Events the bus has taken are kept up to this size, oldest go first. 0 is half of storeSize; on the embedded bus no limit.")
X(dedup_ms,            "dedupWindow",         TIME, 0,     31536000000ull,  259200000,  "ms",   "How long an id that a sender gave is remembered.")
X(dedup_memory,        "dedupMemory",         SIZE, 0,     1ull << 34,      0,          "bytes", "Memory for recent ids. 0 is 4MiB, or one part in 48 of the container's memory limit where that is less.")
X(in_flight,           "busInFlight",         COUNT, 1,    65536,           1024,       "",     "Publishes to the bus that wait for their acknowledgement at a time; what was stored takes at most half of it.")
/* clang-format on */
