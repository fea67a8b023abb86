"""The figures beside their targets: a table for people."""

# What issue 2 asks of two cores with the load generator on the same machine: events a second, KiB.
RATE = {("spool", 64): 60000, ("spool", 5): 30000, ("bus", 64): 45000, ("bus", 5): 30000}
PEAK_KB = 20 * 1024
OF_BARE = {("spool", 64): 0.5}
BOX_RATE = (2000, 4000)
BACKLOG_LOSS = 0.10
# What issue 3 asks: confirmed events a second over one stream; many agents.
STREAM_RATE = {"memory": 50000, "directory": 3000}
LAG_P99_MS, AGENT_KB, IDLE_CPU = 100, 64, 0.01
OUTBOX_MORE = 1.5  # what an event costs beside a million that wait, and beside a thousand


def verdict(good):
    return "ok" if good else "MISSED"


def judge(result):
    """Every target as (what, figure, target, met)."""
    rows = []
    bare = {r["connections"]: r["rate"] for r in result.get("http", []) if r["kind"] == "bare"}
    for row in result.get("http", []):
        key, name = (row["kind"], row["connections"]), f"{row['kind']}, {row['connections']} connections"
        if key in RATE:
            rows.append((f"{name}: stored events/s", f"{row['rate']:,.0f}", f"{RATE[key]:,}", row["rate"] >= RATE[key]))
            rows.append((f"{name}: peak memory, MiB", f"{row['peak_kb'] / 1024:.1f}", "20.0", row["peak_kb"] <= PEAK_KB))
        if key in OF_BARE and bare.get(row["connections"]):
            ratio = row["rate"] / bare[row["connections"]]
            rows.append((f"{name}: of the bare responder", f"{ratio:.0%}", f"{OF_BARE[key]:.0%}", ratio >= OF_BARE[key]))
    for row in result.get("box") or []:
        if row["kind"] in ("bare", "append"):
            continue
        for target in BOX_RATE:
            rows.append((f"box, {row['kind']}: stored events/s", f"{row['rate']:,.0f}", f"{target:,}", row["rate"] >= target))
    rows += judge_sync(result.get("sync") or {})
    levels = result.get("backlog") or []
    for row in levels[1:]:
        if levels[0]["level"]:
            break  # without the rate at zero there is nothing to compare with
        ratio = row["rate"] / levels[0]["rate"]
        rows.append((f"{row['level']:,} waiting: of the rate with none", f"{ratio:.0%}", f"{1 - BACKLOG_LOSS:.0%}",
                     ratio >= 1 - BACKLOG_LOSS))
    rows += judge_outbox(result.get("programs") or {})
    return rows


def judge_outbox(programs):
    if "bench_outbox" not in programs:
        return []
    rows = []
    for work, ns in programs["bench_outbox"]["json"]["ns"].items():
        for waiting in ("100000", "1000000"):
            more = ns[waiting] / ns["1000"]
            rows.append((f"outbox, {int(waiting):,} waiting, {work}: times the cost with 1,000", f"{more:.2f}", f"{OUTBOX_MORE}",
                         more <= OUTBOX_MORE))
    return rows


def judge_sync(sync):
    rows = []
    for row in sync.get("stream", []):
        if row["kind"] in STREAM_RATE:
            target = STREAM_RATE[row["kind"]]
            rows.append((f"one agent, {row['kind']}: confirmed events/s", f"{row['rate']:,.0f}", f"{target:,}", row["rate"] >= target))
    for row in sync.get("fanout", []):
        name = f"{row['agents']:,} agents"
        rows.append((f"{name}: lag p99, ms", f"{row['lag_p99_ms']:.0f}", str(LAG_P99_MS), row["lag_p99_ms"] <= LAG_P99_MS))
        rows.append((f"{name}: KiB an agent", f"{row['kb_per_agent']:.0f}", str(AGENT_KB), row["kb_per_agent"] <= AGENT_KB))
        rows.append((f"{name}: CPU when idle", f"{row['idle_cpu']:.1%}", f"{IDLE_CPU:.0%}", row["idle_cpu"] <= IDLE_CPU))
    return rows


def sync_text(sync):
    lines = []
    if sync.get("stream"):
        lines += ["applications that wait for one agent, over TLS; CPU of both ends and bytes of an event"]
        lines += table(["agent", "events/s", "principal us", "agent us", "bytes"],
                       [[r["kind"], f"{r['rate']:,.0f}", f"{r['cpu_us']:.0f}", f"{r['agent_cpu_us']:.0f}",
                         f"{r['event_bytes']:.0f}" if "event_bytes" in r else None] for r in sync["stream"]])
        lines += [""]
    if sync.get("fanout"):
        lines += ["agents over TLS, changes spread over them"]
        lines += table(["agents", "changes", "lag p50 ms", "p99 ms", "KiB an agent", "idle CPU", "restart s"],
                       [[f"{r['agents']:,}", f"{r['changes']:,}", f"{r['lag_p50_ms']:.1f}", f"{r['lag_p99_ms']:.1f}",
                         f"{r['kb_per_agent']:.1f}", f"{r['idle_cpu']:.1%}", f"{r['restart_s']:.1f}"] for r in sync["fanout"]])
        lines += [""]
    return lines


def providers_text(part):
    lines = ["4 KB pushes of GitHub, 64 connections; ratio and difference to the webhook that looks at nothing, round by round",
             f"their HMAC-SHA256 alone takes {part['hmac_us']:.1f} us"]
    lines += table(["", "events/s", "of webhook", "CPU us", "more", "p50 us", "p99 us"],
                   [[f"{r['kind']} {r['route']}", f"{r['rate']:,.0f}", f"{r['rate_ratio']:.0%}", f"{r['cpu_us']:.1f}",
                     f"{r['more_cpu_us']:+.1f}", f"{r['p50_us']:,.0f}", f"{r['p99_us']:,.0f}"] for r in part["routes"]])
    return lines + [""]


def table(head, rows):
    """Columns as wide as they need to be; the first to the left, the rest to the right."""
    cells = [head] + [["-" if c is None else str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return ["  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip()
            for row in cells]


def http_table(rows, cores):
    out = []
    for r in rows:
        syscalls = r.get("syscalls")
        out.append([f"{r['kind']} {r['connections']}", f"{r['rate']:,.0f}", f"{r['p50_us']:,.0f}", f"{r['p99_us']:,.0f}",
                    f"{r['half_p50_us']:,.0f}", f"{r['half_p99_us']:,.0f}", f"{r['cpu_us']:.1f}",
                    f"{r['bus_cpu_us']:.1f}" if r["bus_cpu_us"] else None, f"{r['generator_cpu_us']:.1f}",
                    f"{cores * 1e6 / (r['cpu_us'] + r['bus_cpu_us'] + r['generator_cpu_us']):,.0f}",
                    f"{syscalls['per_event']:.2f}" if syscalls else None, f"{r['peak_kb'] / 1024:.1f}",
                    f"{r['anon_kb'] / 1024:.1f}"])
    return table(["", "events/s", "p50 us", "p99 us", "half: p50", "p99", "CPU us", "bus", "load", "ceiling", "syscalls", "peak MiB", "anon"], out)


def of_append(rows):
    """What a gateway makes of the least that can be stored and answered."""
    floor = {r["connections"]: r["rate"] for r in rows if r["kind"] == "append"}
    return [f"{r['kind']} {r['connections']}: {r['rate'] / floor[r['connections']]:.0%}" for r in rows
            if r["kind"] in ("spool", "bus") and r["connections"] in floor]


def text(result):
    """Everything that was measured."""
    lines = [f"{result['machine']['cores']} cores, {result['machine']['cpu']}, Linux {result['machine']['kernel']}", ""]
    if result.get("http"):
        lines += ["1 KB POSTs; CPU and system calls are the server's, for each event; half: at half that rate, open loop"]
        lines += ["bus, load: CPU of the nats-server and of the load generator; ceiling: events/s if no core ever rested"]
        lines += http_table(result["http"], result["machine"]["cores"]) + [""]
        tools = {r["syscalls"]["tool"] for r in result["http"] if r.get("syscalls")}
        lines += [f"system calls counted with {', '.join(sorted(tools))}", ""] if tools else []
        shares = of_append(result["http"])
        lines += [f"of what appends, flushes and answers (append): {', '.join(shares)}", ""] if shares else []
    if result.get("providers"):
        lines += providers_text(result["providers"])
    if result.get("disk"):
        lines += ["raw fdatasync, 1 KB records"]
        lines += table(["records a flush", "records/s", "p50 us", "p99 us"],
                       [[g["group"], f"{g['records_s']:,.0f}", g["p50_us"], g["p99_us"]] for g in result["disk"]]) + [""]
    if result.get("nats"):
        lines += ["1 KB messages to nats-server from a program that does nothing else"]
        lines += table(["in flight", "messages/s"], [[w["window"], f"{w['messages_s']:,.0f}"] for w in result["nats"]]) + [""]
    if result.get("box"):
        lines += ["in 50 milli-CPU and 50 MiB, 5 clients (upstream: 400/s)"]
        lines += table(["", "events/s", "p50 us", "p99 us", "max us", "peak MiB", "cgroup peak"],
                       [[r["kind"], f"{r['rate']:,.0f}", f"{r['p50_us']:,.0f}", f"{r['p99_us']:,.0f}", f"{r['max_us']:,.0f}",
                         f"{r['peak_kb'] / 1024:.1f}", f"{r['cgroup_peak_kb'] / 1024:.1f}"] for r in result["box"]]) + [""]
    if result.get("backlog"):
        lines += ["cost against backlog, small bodies, 64 connections, the bus is away"]
        lines += table(["waiting", "events/s", "CPU us", "anon MiB"],
                       [[f"{r['level']:,}", f"{r['rate']:,.0f}", f"{r['cpu_us']:.1f}", f"{r['anon_kb'] / 1024:.1f}"]
                        for r in result["backlog"]]) + [""]
    lines += sync_text(result.get("sync") or {})
    for name, part in result.get("programs", {}).items():
        lines += [name, *part["text"], ""]
    targets = judge(result)
    if targets:
        lines += table(["target", "figure", "wanted", ""], [[w, f, t, verdict(good)] for w, f, t, good in targets]) + [""]
    lines += [f"skipped: {name}: {reason}" for name, reason in result["skipped"].items()]
    lines += [f"FAILED: {what}" for what in result["failed"]]
    return "\n".join(lines).rstrip()
