#!/usr/bin/env python3
"""mosquitto, RabbitMQ, ngircd, and Erlang nodes that talk to each other."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certs  # noqa: E402
import procs  # noqa: E402
import users  # noqa: E402
from harness import MARKER, Bed, equal, main  # noqa: E402

TEXT = MARKER.decode()
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


# ---- MQTT --------------------------------------------------------------------------------


def mqtt(bed, command, *words):
    return [f"mosquitto_{command}", "-h", "127.0.0.1", "-p", bed.relay.port, "-t", "news",
            "-q", "1", *words]


def publish_and_subscribe(bed, *login):
    """Fifty messages, the last of them a large one, to two subscribers. Their sessions are
    lasting ones, so that they need not be there at the same time."""
    names = ["sub0", "sub1"]
    for name in names:
        bed.client(mqtt(bed, "sub", "-i", name, "-c", "-E", *login), name=name)
    lines = [f"{TEXT} {number}" for number in range(49)]
    with open(bed.write("lines", "\n".join(lines) + "\n"), "rb") as file:
        bed.client(mqtt(bed, "pub", "-l", *login), name="lines-pub", stdin=file)
    large = TEXT * 10_000
    bed.client(mqtt(bed, "pub", "-f", bed.write("large", large), *login), name="large-pub")
    for name in names:
        out = bed.client(mqtt(bed, "sub", "-i", name, "-c", "-C", "50", *login),
                         name=name).out
        equal(sorted(out.decode().splitlines()), sorted(lines + [large]), f"what {name} got")
    bed.check_all(at_least=6, allow_cut=True)


def test_mosquitto(bed: Bed):
    bed.pair()
    config = bed.write("mosquitto.conf", f"listener {bed.port} 127.0.0.1\n"
                       "allow_anonymous true\nuser root\n")
    bed.serve(["mosquitto", "-c", config])
    publish_and_subscribe(bed)


def test_rabbitmq_mosquitto(bed):
    """RabbitMQ's MQTT listener; the node is an Erlang VM with a scheduler of its own."""
    bed.pair()
    users.open_folders(bed)
    os.mkdir(bed.path("rabbit"))
    epmd, dist = procs.free_port(), procs.free_port()
    config = bed.write("rabbitmq.conf", f"listeners.tcp = none\nmqtt.listeners.tcp.1 = "
                       f"127.0.0.1:{bed.port}\nmqtt.allow_anonymous = true\n"
                       "loopback_users = none\nlog.console = true\nlog.file = false\n")
    plugins = bed.write("enabled_plugins", "[rabbitmq_mqtt].\n")
    host = socket.gethostname().split(".")[0]
    # The node talks to itself and to epmd in plaintext; only MQTT is governed.
    policy = bed.policy("server", f"[inbound test]\nlocal = *:{bed.port}\nmode = mtls\n"
                        f"identity = own\n[inbound rest]\nlocal = *:*\nmode = plaintext\n"
                        "[outbound rest]\nremote = *:*\nmode = plaintext\n",
                        {"own": bed.server_cert})
    env = {"HOME": bed.path("rabbit"), "RABBITMQ_NODENAME": f"test{bed.port}@{host}",
           "RABBITMQ_MNESIA_BASE": bed.path("rabbit/mnesia"), "RABBITMQ_LOGS": "-",
           "RABBITMQ_CONFIG_FILE": config, "RABBITMQ_ENABLED_PLUGINS_FILE": plugins,
           "RABBITMQ_LOG_BASE": bed.path("rabbit"), "ERL_EPMD_PORT": str(epmd),
           "RABBITMQ_DIST_PORT": str(dist), "RABBITMQ_PID_FILE": bed.path("rabbit/pid"),
           "RABBITMQ_CONF_ENV_FILE": "/dev/null", "ERL_EPMD_ADDRESS": "127.0.0.1"}
    server = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    epmd_server = bed.start("epmd", ["epmd", "-port", str(epmd), "-address", "127.0.0.1"])
    epmd_server.listens(epmd)
    bed.start("server", [server], policy, env=env).listens(bed.port, 60)
    publish_and_subscribe(bed, "-u", "guest", "-P", "guest")


def test_erlang_nodes(bed):
    """Two nodes of Erlang's distribution, which each reach the other through a relay."""
    ports = [procs.free_port(), procs.free_port()]
    relays = [bed.open_relay(port) for port in ports]
    both = bed.authority.issue("both", certs.SERVER_NAMES, "serverAuth,clientAuth")
    there = ", ".join(f"*:{port}" for port in ports + [relay.port for relay in relays])
    policy = bed.policy("nodes", f"[inbound in]\nlocal = {there}\nmode = mtls\nidentity = own\n"
                        f"[outbound out]\nremote = {there}\nmode = mtls\nidentity = own\n",
                        {"own": both})
    env = {"HOME": bed.dir, "FIRST_RELAY": str(relays[0].port)}
    erl = ["erl", "-noinput", "-boot", "start_clean", "-start_epmd", "false", "-setcookie",
           "secret", "-pa", bed.dir, "-epmd_module", "fixed_epmd"]
    bed.start("compile", ["erlc", "-o", bed.dir, os.path.join(HERE, "fixed_epmd.erl")]).ok(60)
    names = [f"first{ports[0]}@127.0.0.1", f"second{ports[1]}@127.0.0.1"]
    for port, name in zip(ports, names):
        bed.start(name.split("@")[0], [*erl, "-name", name, "-kernel", "inet_dist_listen_min",
                                       str(port), "inet_dist_listen_max", str(port),
                                       "inet_dist_use_interface", "{127,0,0,1}",
                                       *(["-s", "fixed_epmd", "ask", names[0]]
                                         if name == names[1] else [])],
                  policy, env=env)
        if name == names[0]:
            bed.programs[-1].listens(port, 30)
    equal(bed.programs[-1].ok(40).out, b"fine\n", "the second node")
    bed.check_wire(relays[0], allow_cut=True)


# ---- IRC ---------------------------------------------------------------------------------


def test_ngircd(bed):
    bed.pair()
    config = bed.write("ngircd.conf", f"""
[Global]
Name = server.test
Info = test
Listen = 127.0.0.1
Ports = {bed.port}
ServerUID = root
ServerGID = root
MotdPhrase = {TEXT}
[Limits]
PingTimeout = 60
[Options]
DNS = no
Ident = no
PAM = no
""")
    bed.serve(["ngircd", "-n", "-f", config])
    got = bed.client([sys.executable, os.path.join(HERE, "irc.py"), str(bed.relay.port)]).out
    equal(got, b"fine\n", "the two users")
    bed.check_all(at_least=2)


if __name__ == "__main__":
    main(globals())
