#!/usr/bin/env python3
"""curl, wget and wrk against Python's http.server and nginx."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import Bed, digest, equal, main, payload  # noqa: E402

HTTP_SIZE = 600_000
NGINX_SIZE = 3_000_000


def serve_python(bed: Bed):
    bed.pair()
    os.mkdir(bed.path("www"))
    data = payload(HTTP_SIZE)
    bed.write("www/file", data)
    bed.serve([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d",
               bed.path("www"), bed.port])
    return data


def serve_nginx(bed: Bed):
    bed.pair()
    os.mkdir(bed.path("www"))
    os.chmod(bed.dir, 0o755)  # the workers may run as another user
    data = payload(NGINX_SIZE)
    bed.write("www/file", data)
    bed.write("www/small", payload(1000))
    config = bed.write("nginx.conf", f"""
daemon off; master_process on; worker_processes 2; user root; pid {bed.dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_timeout 30; keepalive_requests 100000;
    client_body_temp_path {bed.dir}/t1; proxy_temp_path {bed.dir}/t2;
    fastcgi_temp_path {bed.dir}/t3; uwsgi_temp_path {bed.dir}/t4; scgi_temp_path {bed.dir}/t5;
    server {{ listen 127.0.0.1:{bed.port}; root {bed.dir}/www; }}
}}
""")
    bed.serve(["/usr/sbin/nginx", "-e", "stderr", "-c", config])
    return data


def url(bed, path="file"):
    return f"http://127.0.0.1:{bed.relay.port}/{path}"


def fetch_curl(bed, data):
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*", url(bed)]).out
    equal(digest(got), digest(data), "the file as curl got it")
    bed.check_all()


def fetch_wget(bed, data):
    bed.client(["wget", "-q", "--no-proxy", "-O", bed.path("got"), url(bed)])
    with open(bed.path("got"), "rb") as file:
        equal(digest(file.read()), digest(data), "the file as wget got it")
    bed.check_all()


def test_curl_http_server(bed):
    fetch_curl(bed, serve_python(bed))


def test_wget_http_server(bed):
    fetch_wget(bed, serve_python(bed))


def test_curl_nginx(bed):
    fetch_curl(bed, serve_nginx(bed))


def test_wget_nginx(bed):
    fetch_wget(bed, serve_nginx(bed))


def test_curl_nginx_by_name(bed):
    data = serve_nginx(bed)
    got = bed.client(["curl", "-4", "-sS", "-f", "--noproxy", "*",
                      f"http://localhost:{bed.relay.port}/file"]).out
    equal(digest(got), digest(data), "the file as curl got it")
    bed.check_all()


def test_curl_nginx_keep_alive(bed):
    data = serve_nginx(bed)
    names = [bed.path(f"got{i}") for i in range(5)]
    words = [word for name in names for word in ("-o", name, url(bed))]
    bed.client(["curl", "-sS", "-f", "--noproxy", "*", *words])
    for name in names:
        with open(name, "rb") as file:
            equal(digest(file.read()), digest(data), name)
    equal(len(bed.relay.recordings), 1, "connections for five requests")
    bed.check_all()


def test_wrk_nginx(bed):
    serve_nginx(bed)
    out = bed.client(["wrk", "-c", "20", "-t", "2", "-d", "2s", url(bed, "small")]).out.decode()
    if "Socket errors" in out or "Non-2xx" in out or "requests in" not in out:
        raise AssertionError(f"wrk says: {out}")
    requests = int(next(line for line in out.splitlines() if "requests in" in line).split()[0])
    if requests < 20:
        raise AssertionError(f"only {requests} requests")
    # wrk ends by closing with answers under way.
    bed.check_all(at_least=20, allow_cut=True)


if __name__ == "__main__":
    main(globals())
