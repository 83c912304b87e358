"""multiprocessing.managers over TCP: managers.py server|client PORT"""

import multiprocessing.managers
import queue
import sys

MARKER = "MTLS-TEST-MARKER"
JOBS = queue.Queue()
RESULTS = {}


class Manager(multiprocessing.managers.BaseManager):
    pass


def main():
    role, port = sys.argv[1], int(sys.argv[2])
    if role == "server":
        Manager.register("jobs", callable=lambda: JOBS)
        Manager.register("results", callable=lambda: RESULTS,
                         proxytype=multiprocessing.managers.DictProxy)
    else:
        Manager.register("jobs")
        Manager.register("results", proxytype=multiprocessing.managers.DictProxy)
    manager = Manager(address=("127.0.0.1", port), authkey=b"a secret of theirs")
    if role == "server":
        manager.get_server().serve_forever()
    manager.connect()
    jobs, results = manager.jobs(), manager.results()
    for number in range(50):
        jobs.put((number, MARKER * number * 100))
    for number in range(50):
        job, text = jobs.get()
        results[job] = text
    assert jobs.empty()
    assert sorted(results.keys()) == list(range(50))
    assert results[49] == MARKER * 4900
    print("fine")


main()
