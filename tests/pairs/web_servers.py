#!/usr/bin/env python3
"""Apache httpd with each of its process models, lighttpd, PHP-FPM and uwsgi behind nginx."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import procs  # noqa: E402
import users  # noqa: E402
from harness import Bed, digest, equal, main, payload  # noqa: E402

SIZE = 3_000_000


def make_files(bed: Bed):
    users.open_folders(bed)
    os.mkdir(bed.path("www"))
    bed.write("www/small", payload(1000))
    bed.write("www/file", payload(SIZE))


def url(bed, path):
    return f"http://127.0.0.1:{bed.relay.port}/{path}"


def fetch(bed, path="file", want=None, name="curl"):
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*", url(bed, path)], name=name).out
    want = payload(SIZE) if want is None else want
    equal(digest(got), digest(want), f"{path} as curl got it, {len(got)} bytes")


# ---- Apache ----------------------------------------------------------------------------


def serve_apache(bed, model, more=""):
    bed.pair()
    make_files(bed)
    config = bed.write("apache.conf", f"""
ServerRoot {bed.dir}
ServerName localhost
DefaultRuntimeDir {bed.dir}
PidFile {bed.dir}/apache.pid
ErrorLog /dev/stderr
Listen 127.0.0.1:{bed.port}
LoadModule mpm_{model}_module /usr/lib/apache2/modules/mod_mpm_{model}.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
StartServers 2
MaxKeepAliveRequests 0
DocumentRoot {bed.dir}/www
<Directory {bed.dir}/www>
    Require all granted
</Directory>
{more}
""")
    bed.serve(["/usr/sbin/apache2", "-f", config, "-DFOREGROUND"])


def ab(bed, *words, requests=400):
    out = bed.client(["ab", "-q", "-n", requests, "-c", "10", *words, url(bed, "small")],
                     name="ab").out.decode()
    counts = {key: int(value) for key, value in
              re.findall(r"^(\w+ \w+|HTML transferred): +(\d+)", out, re.MULTILINE)}
    equal((counts.get("Complete requests"), counts.get("Failed requests"),
           counts.get("HTML transferred")), (requests, 0, requests * 1000), f"ab's counts in {out}")


def apache(bed, model):
    serve_apache(bed, model)
    fetch(bed)
    ab(bed)
    ab(bed, "-k", requests=2000)
    # ab ends by closing kept connections, the server's answer under way.
    bed.check_all(at_least=411, allow_cut=True)


def test_apache_prefork(bed):
    apache(bed, "prefork")


def test_apache_worker(bed):
    apache(bed, "worker")


def test_apache_event(bed):
    apache(bed, "event")


def test_apache_cgi(bed):
    """The script inherits what the worker has open; its output goes through a pipe."""
    serve_apache(bed, "prefork", f"""
LoadModule cgi_module /usr/lib/apache2/modules/mod_cgi.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
ScriptAlias /cgi/ {bed.dir}/www/
""")
    script = bed.write("www/script", "#!/bin/sh\necho Content-Type: text/plain\necho\n"
                       "echo MTLS-TEST-MARKER $REQUEST_METHOD\ncat\ncat $(dirname $0)/file\n")
    os.chmod(script, 0o755)
    body = payload(100_000, 1)
    got = bed.client(["curl", "-sS", "-f", "--noproxy", "*", "-H", "Expect:", "--data-binary",
                      "@" + bed.write("body", body), url(bed, "cgi/script")]).out
    equal(digest(got), digest(b"MTLS-TEST-MARKER POST\n" + body + payload(SIZE)),
          f"the script's answer, {len(got)} bytes")
    bed.check_all()


# ---- lighttpd --------------------------------------------------------------------------


def test_lighttpd(bed):
    bed.pair()
    make_files(bed)
    config = bed.write("lighttpd.conf", f"""
server.modules = ()
server.document-root = "{bed.dir}/www"
server.bind = "127.0.0.1"
server.port = {bed.port}
server.username = "www-data"
server.groupname = "www-data"
server.network-backend = "sendfile"
mimetype.assign = ( "" => "application/octet-stream" )
""")
    bed.serve(["/usr/sbin/lighttpd", "-D", "-f", config])
    fetch(bed)
    ab(bed)
    ab(bed, "-k", requests=2000)
    bed.check_all(at_least=411, allow_cut=True)


# ---- behind nginx ----------------------------------------------------------------------


def serve_nginx(bed, location):
    """nginx under the client's policy: it is a TLS server in front, a client behind."""
    front = procs.free_port()
    front_relay = bed.open_relay(front)
    users.open_folders(bed)
    config = bed.write("nginx.conf", f"""
daemon off; worker_processes 2; user www-data; pid {bed.dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off; client_max_body_size 100m; client_body_buffer_size 16k;
    client_body_temp_path {bed.dir}/t1; proxy_temp_path {bed.dir}/t2;
    fastcgi_temp_path {bed.dir}/t3; uwsgi_temp_path {bed.dir}/t4; scgi_temp_path {bed.dir}/t5;
    upstream back {{ server 127.0.0.1:{bed.relay.port}; keepalive 4; }}
    server {{ listen 127.0.0.1:{front}; location / {{ {location} }} }}
}}
""")
    own = {"own": bed.client_cert, "front": bed.server_cert}
    policy = bed.policy("nginx", f"[outbound back]\nremote = *:{bed.relay.port}\nmode = mtls\n"
                        f"identity = own\n[inbound front]\nlocal = *:{front}\nmode = mtls\n"
                        "identity = front\n", own)
    user = bed.policy("client", f"[outbound front]\nremote = *:{front_relay.port}\n"
                      "mode = mtls\nidentity = own\n", {"own": bed.client_cert})
    bed.start("nginx", ["/usr/sbin/nginx", "-e", "stderr", "-c", config], policy).listens(front)
    bed.client_policy = user
    return front_relay


def ask_through_nginx(bed, front):
    """A large answer, a large question, and several on one connection."""
    back = bed.relay
    bed.relay = front
    fetch(bed, f"app?{SIZE}", b"MTLS-TEST-MARKER GET 0\n" + b"x" * SIZE)
    body = payload(SIZE)
    path = bed.write("body", body)
    for name in ("first", "second"):
        got = bed.client(["curl", "-sS", "-f", "--noproxy", "*", "-H", "Expect:",
                          "-H", "Content-Type: application/octet-stream",
                          "--data-binary", "@" + path, url(bed, "app?5")], name=name).out
        equal(got, b"MTLS-TEST-MARKER POST %d\nxxxxx" % len(body), "the answer to POST")
    for number in range(5):
        fetch(bed, f"app?{number}", b"MTLS-TEST-MARKER GET 0\n" + b"x" * number,
              name=f"curl{number}")
    bed.check_wire(front, at_least=8)
    bed.relay = back
    bed.check_all(allow_cut=True)


def test_nginx_php_fpm(bed):
    bed.pair()
    users.open_folders(bed)
    script = bed.write("app.php", """<?php
header('Content-Type: text/plain');
$size = strlen(file_get_contents('php://input'));
echo "MTLS-TEST-MARKER {$_SERVER['REQUEST_METHOD']} $size\n";
echo str_repeat('x', (int) $_SERVER['QUERY_STRING']);
""")
    config = bed.write("fpm.conf", f"""
[global]
error_log = /dev/stderr
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:{bed.port}
pm = static
pm.max_children = 3
php_admin_value[post_max_size] = 100M
""")
    bed.serve(["/usr/sbin/php-fpm8.2", "-n", "-y", config])
    front = serve_nginx(bed, f"""fastcgi_pass back; fastcgi_keep_conn on;
        fastcgi_param SCRIPT_FILENAME {script}; fastcgi_param QUERY_STRING $query_string;
        fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length;""")
    ask_through_nginx(bed, front)


def test_nginx_uwsgi(bed):
    bed.pair()
    users.open_folders(bed)
    bed.write("app.py", """
def application(environ, start_response):
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"MTLS-TEST-MARKER %s %d\\n" % (environ["REQUEST_METHOD"].encode(), size)
    yield b"x" * int(environ["QUERY_STRING"])
""")
    bed.serve(["uwsgi", "--plugin", "python3", "--socket", f"127.0.0.1:{bed.port}",
               "--chdir", bed.dir, "--module", "app", "--processes", "2", "--threads", "2",
               "--master", "--uid", "www-data", "--gid", "www-data", "--die-on-term"])
    front = serve_nginx(bed, """uwsgi_pass back;
        uwsgi_param REQUEST_METHOD $request_method; uwsgi_param QUERY_STRING $query_string;
        uwsgi_param CONTENT_LENGTH $content_length; uwsgi_param PATH_INFO $document_uri;
        uwsgi_param SERVER_NAME $server_name; uwsgi_param SERVER_PORT $server_port;
        uwsgi_param SERVER_PROTOCOL $server_protocol;""")
    ask_through_nginx(bed, front)


def test_nginx_apache(bed):
    """A reverse proxy over HTTP with kept connections, an event-driven server behind."""
    serve_apache(bed, "event")
    front = serve_nginx(bed, 'proxy_pass http://back; proxy_http_version 1.1; '
                        'proxy_set_header Connection "";')
    back, bed.relay = bed.relay, front
    fetch(bed)
    ab(bed, requests=200)
    bed.check_wire(front, at_least=200, allow_cut=True)
    bed.relay = back
    bed.check_all(allow_cut=True)


if __name__ == "__main__":
    main(globals())
