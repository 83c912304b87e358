"""The rows. To add one: a server in programs.py if it is new, a load in loads.py, a line here,
and what is to be reached in the file targets."""

import shutil

import loads
import programs
import scale
import special
import variants
from loads import HTTP_ASK, REDIS_ASK, SERVE_ASK


class Row:
    """text: what it is. figure: the one that counts, of those that load() gives; `better` is
    "more" or "less". tickets: whether servers and clients allow them. only: the variants that
    the row is about. needs: programs that the load takes."""

    def __init__(self, text, figure, program, load, better="more", tickets=True,
                 only=None, needs=()):
        self.text = text
        self.figure = figure
        self.program = program
        self.load = load
        self.better = better
        self.tickets = tickets
        self.only = only
        self.needs = needs


ROWS = {
    "bulk": Row("iperf3, one stream", "GB_s", programs.Iperf(), loads.iperf),
    "http-1m": Row("nginx, 1 MiB file, wrk -c 16", "GB_s", programs.Nginx("optional"),
                   loads.wrk("big", 16), needs=("wrk",)),
    "http-small": Row("nginx, 612-byte file, keep-alive, wrk -c 64", "per_s",
                      programs.Nginx("optional"), loads.wrk("small", 64), needs=("wrk",)),
    "get-c1": Row("redis GET, 1 connection: mean round trip", "mean_us", programs.Redis(),
                  loads.redis_benchmark(1), better="less"),
    "get-c50": Row("redis GET, 50 connections", "per_s", programs.Redis(),
                   loads.redis_benchmark(50)),
    "get-p16": Row("redis GET, 50 connections, pipeline of 16", "per_s", programs.Redis(),
                   loads.redis_benchmark(50, 16)),
    "memcached": Row("memcached get, 64 connections", "per_s", programs.Memcached(),
                     loads.requests("-c", "64", "-t", "2", "-q", "get nothing\r\n",
                                    "-e", "END\r\n")),
    "pgbench": Row("PostgreSQL, prepared selects, 4 connections", "per_s",
                   programs.Postgres(), loads.pgbench),
    "full-redis": Row("full handshakes, redis", "per_s", programs.Redis(),
                      loads.handshakes(*REDIS_ASK), tickets=False),
    "full-nginx": Row("full handshakes, nginx", "per_s", programs.Nginx("on"),
                      loads.handshakes(*HTTP_ASK), tickets=False),
    "full-threads": Row("full handshakes, a thread for each connection", "per_s",
                        programs.Serve("threads", "64"), loads.handshakes(*SERVE_ASK),
                        tickets=False),
    "unused-tickets": Row("full handshakes, nginx gives tickets that nobody uses", "per_s",
                          programs.Nginx("on"), loads.handshakes(*HTTP_ASK, tickets=False)),
    "resumed-redis": Row("resumed handshakes, redis", "per_s", programs.Redis(),
                         loads.handshakes(*REDIS_ASK, resume=True)),
    "resumed-nginx": Row("resumed handshakes, nginx", "per_s", programs.Nginx("on"),
                         loads.handshakes(*HTTP_ASK, resume=True)),
    "resumed-threads": Row("resumed handshakes, a thread for each connection", "per_s",
                           programs.Serve("threads", "64"),
                           loads.handshakes(*SERVE_ASK, resume=True)),
}

# Rows that are measured in ways of their own: see special.py.
OWN_WAY = {
    "scale-connections": Row("1 to 10,000 connections: growth of processor time for a byte",
                             "growth", programs.Serve("epoll", scale.BYTES),
                             scale.connections, better="less", only=("plain", "shim")),
    "scale-threads": Row("1 to 64 threads: growth of processor time for a byte", "growth",
                         programs.Serve("threads", scale.BYTES), scale.threads, better="less",
                         only=("plain", "shim")),
    "contention": Row("64 threads: futex calls for 1,000 requests", "calls",
                      programs.Serve("threads", scale.BYTES), scale.contention, better="less",
                      only=("plain", "shim"), needs=("strace",)),
    "idle": Row("redis, 10,000 idle connections (or as many as ulimit -n lets a proxy have): memory of each", "KiB",
                programs.Redis(), special.idle, better="less"),
    "instructions": Row("instructions of a send and a recv, small records", "instructions",
                        programs.Serve("threads", "64"), special.instructions, better="less",
                        only=("plain", "shim"), needs=("valgrind", "callgrind_annotate")),
    "ungoverned": Row("read(2) that no policy governs, beyond the bare system call", "ns",
                      None, special.ungoverned, better="less", only=("plain", "shim")),
    "start": Row("start of /bin/true, processor time", "ms", None, special.start, better="less",
                 only=("plain", "shim")),
    "size": Row("size of the library, stripped", "KiB", None, special.size, better="less",
                only=("plain", "shim")),
}
ALL = {**ROWS, **OWN_WAY}


def why_not(name, row, variant):
    """Why a row has no figure for a variant; None when it can be measured."""
    if row.only and variant not in row.only:
        return "not for this row"
    if variant == "native" and row.program and not row.program.native:
        return "the program has no TLS of its own"
    gone = variants.missing(variant) or (row.program and programs.lacking(row.program))
    return gone or next((f"{tool} is not installed" for tool in row.needs
                         if not shutil.which(tool)), None)
