"""The proxies: what each is started with, as the half beside the client or the half beside the
server. (bench, role, port to listen at, port to go to, are tickets allowed) -> command line."""

import os
import shutil

from machine import HOST, SUITE, files_max

STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


def stunnel(bench, role, listen, target, tickets):
    ends = "client = yes\ncheckHost = localhost" if role == "client" else "requireCert = yes"
    return ["stunnel4", bench.write(f"stunnel-{listen}.conf", f"""\
foreground = yes
pid =
syslog = no
debug = 0
[bench]
accept = {HOST}:{listen}
connect = {HOST}:{target}
cert = {bench.path("bench.pem")}
key = {bench.path("bench.key")}
CAfile = {bench.path("ca.pem")}
verifyChain = yes
{ends}
sslVersionMin = TLSv1.3
ciphersuites = {SUITE}
curves = X25519
sessionResume = {"yes" if tickets else "no"}
{"" if tickets else "options = NO_TICKET"}
sessionCacheSize = {20000 if tickets else 1}
socket = a:TCP_NODELAY=1
""")]


def haproxy(bench, role, listen, target, tickets):
    tls = f"crt {bench.path('both.pem')} ca-file {bench.path('ca.pem')} verify required"
    if role == "client":
        ends = (f"    bind {HOST}:{listen}\n    server s {HOST}:{target} ssl {tls} "
                f"verifyhost localhost {'' if tickets else 'no-ssl-reuse'}")
    else:
        ends = (f"    bind {HOST}:{listen} ssl {tls} {'' if tickets else 'no-tls-tickets'}\n"
                f"    server s {HOST}:{target}")
    return ["haproxy", "-db", "-f", bench.write(f"haproxy-{listen}.cfg", f"""\
global
    maxconn {min(12000, files_max() // 2 - 100)}
    {"" if tickets else "tune.ssl.cachesize 0"}
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
    ssl-default-bind-ciphersuites {SUITE}
    ssl-default-server-ciphersuites {SUITE}
    ssl-default-bind-curves X25519
defaults
    mode tcp
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen bench
{ends}
""")]


def nginx_tls(bench, tickets, verify):
    return f"""ssl_protocols TLSv1.3; ssl_certificate {bench.path("bench.pem")};
        ssl_certificate_key {bench.path("bench.key")}; ssl_verify_client {verify};
        ssl_client_certificate {bench.path("ca.pem")}; ssl_ecdh_curve X25519;
        ssl_conf_command Ciphersuites {SUITE}; ssl_session_tickets {"on" if tickets else "off"};
        ssl_session_cache {"shared:s:8m" if tickets else "off"};"""


def nginx_stream(bench, role, listen, target, tickets):
    if role == "client":
        tls = f"""listen {HOST}:{listen} backlog=4096; proxy_ssl on; proxy_ssl_verify on;
        proxy_ssl_protocols TLSv1.3; proxy_ssl_name localhost;
        proxy_ssl_certificate {bench.path("bench.pem")};
        proxy_ssl_certificate_key {bench.path("bench.key")};
        proxy_ssl_trusted_certificate {bench.path("ca.pem")};
        proxy_ssl_session_reuse {"on" if tickets else "off"};
        proxy_ssl_conf_command Ciphersuites {SUITE};"""
    else:
        tls = f"listen {HOST}:{listen} ssl backlog=4096; {nginx_tls(bench, tickets, 'on')}"
    return ["nginx", "-c", bench.write(f"stream-{listen}.conf", f"""\
load_module {STREAM_MODULE};
daemon off; worker_processes 2; pid {bench.path(f"stream-{listen}.pid")};
error_log stderr error; worker_rlimit_nofile 50000; events {{ worker_connections 25000; }}
stream {{ proxy_timeout 1h; server {{ {tls}
    proxy_pass {HOST}:{target}; }} }}
""")]


def ghostunnel(bench, role, listen, target, tickets):
    argv = ["ghostunnel", "--cert", bench.path("bench.pem"), "--key", bench.path("bench.key"),
            "--cacert", bench.path("ca.pem"), "--quiet=conns", "--quiet=conn-errs",
            "--quiet=handshake-errs", role, "--listen", f"{HOST}:{listen}",
            "--target", f"{HOST}:{target}"]
    return argv + (["--override-server-name", "localhost"] if role == "client"
                   else ["--allow-all"])


PROXIES = {"stunnel": stunnel, "haproxy": haproxy, "nginx-stream": nginx_stream,
           "ghostunnel": ghostunnel}


def missing(name):
    """Why a proxy cannot be measured on this machine; None when it can."""
    program = {"stunnel": "stunnel4", "nginx-stream": "nginx"}.get(name, name)
    if not shutil.which(program):
        return f"{program} is not installed"
    if name == "nginx-stream" and not os.path.exists(STREAM_MODULE):
        return "nginx's stream module is not installed"
    return None
