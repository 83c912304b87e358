"""The servers that rows are measured with: how each is started, also with its own TLS."""

import glob
import os
import shutil
import signal
import subprocess

from machine import BUILD, HOST, SUITE
from proxies import nginx_tls

SMALL, BIG = 612, 1 << 20  # bytes of the files that nginx serves


class Program:
    """How a server is started; native: it has TLS of its own."""
    user = None
    native = True
    stop_by = signal.SIGTERM
    stop_seconds = 0.5
    needs = ()

    def argv(self, bench, port, native, tickets):
        raise NotImplementedError


class Redis(Program):
    needs = ("redis-server", "redis-benchmark")

    def argv(self, bench, port, native, tickets):
        argv = ["redis-server", "--bind", HOST, "--save", "", "--appendonly", "no",
                "--loglevel", "warning", "--tcp-backlog", "4096", "--maxclients", "15000",
                "--dir", bench.dir]
        if not native:
            return [*argv, "--port", str(port)]
        return [*argv, "--port", "0", "--tls-port", str(port), "--tls-auth-clients", "yes",
                "--tls-cert-file", bench.path("bench.pem"), "--tls-key-file",
                bench.path("bench.key"), "--tls-ca-cert-file", bench.path("ca.pem"),
                "--tls-protocols", "TLSv1.3", "--tls-ciphersuites", SUITE,
                "--tls-session-caching", "yes" if tickets else "no"]


class Nginx(Program):
    """verify: "on", or "optional" for clients that have no certificate to show (wrk)."""
    needs = ("nginx",)

    def __init__(self, verify):
        self.verify = verify

    def argv(self, bench, port, native, tickets):
        www = bench.path("www")
        if not os.path.isdir(www):
            os.mkdir(www, 0o755)
            for name, size in (("small", SMALL), ("big", BIG)):
                with open(os.path.join(www, name), "wb") as file:
                    file.write(os.urandom(size))
        places = " ".join(f"{kind}_temp_path {bench.path(kind)};" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        tls = nginx_tls(bench, tickets, self.verify) if native else ""
        return ["nginx", "-c", bench.write(f"nginx-{port}.conf", f"""\
daemon off; worker_processes 2; pid {bench.path(f"nginx-{port}.pid")}; error_log stderr error;
worker_rlimit_nofile 50000; events {{ worker_connections 15000; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    keepalive_timeout 1h; open_file_cache max=10; {places}
    server {{ listen {HOST}:{port} {"ssl" if native else ""} backlog=4096; root {www};
        {tls} {"ssl_buffer_size 16k;" if native else ""} }} }}
""")]


class Memcached(Program):
    needs = ("memcached",)

    def argv(self, bench, port, native, tickets):
        tls = ["-Z", "-o", f"ssl_chain_cert={bench.path('bench.pem')},ssl_key="
               f"{bench.path('bench.key')},ssl_ca_cert={bench.path('ca.pem')},"
               "ssl_verify_mode=2,ssl_min_version=3"] if native else []
        return ["memcached", "-u", "root", "-l", HOST, "-p", str(port), "-U", "0", "-t", "2",
                "-c", "15000", *tls]


class Postgres(Program):
    """It must not run as root. Its data are made once and copied for each variant."""
    user = "postgres"
    stop_by = signal.SIGINT
    stop_seconds = 5
    needs = ("pgbench",)

    def argv(self, bench, port, native, tickets):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not programs:
            raise RuntimeError("PostgreSQL's server is not installed")
        folder = bench.folder_for(self.user)
        first = os.path.join(folder, "data")
        who = {"user": self.user, "group": self.user, "extra_groups": [], "cwd": folder}
        if not os.path.isdir(first):
            subprocess.run([programs[-1] + "/initdb", "-D", first, "-A", "trust", "-U",
                            "bench", "--no-sync", "--locale=C"], check=True, timeout=60,
                           capture_output=True, **who)
        data = f"{first}-{port}"
        subprocess.run(["cp", "-a", first, data], check=True, timeout=60)
        tls = ["-c", "ssl=on", "-c", "ssl_min_protocol_version=TLSv1.3"]
        for name, file in (("cert", "bench.pem"), ("key", "bench.key"), ("ca", "ca.pem")):
            tls += ["-c", f"ssl_{name}_file={os.path.join(folder, file)}"]
        return [programs[-1] + "/postgres", "-D", data, "-p", str(port), "-c",
                f"listen_addresses={HOST}", "-c", "fsync=off", "-c", "synchronous_commit=off",
                "-c", f"unix_socket_directories={folder}", *(tls if native else ["-c",
                "ssl=off"])]


class Iperf(Program):
    native = False
    needs = ("iperf3",)

    def argv(self, bench, port, native, tickets):
        return ["iperf3", "-s", "-B", HOST, "-p", str(port)]


class Serve(Program):
    """serve.c: a thread for each connection, or epoll; it has no TLS of its own."""
    native = False

    def __init__(self, *words):
        self.words = words

    def argv(self, bench, port, native, tickets):
        return [os.path.join(BUILD, "tests", "bench", "serve"), *self.words, str(port)]


def lacking(program):
    """What of a program's commands is not installed, in words; None: nothing."""
    gone = [name for name in program.needs if not shutil.which(name)]
    return f"{', '.join(gone)} is not installed" if gone else None
