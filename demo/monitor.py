"""A real Prometheus that watches the counters, with the rules of demo/prometheus.

Its minutes last a second: every [5m] and "for: 5m" of alerts.yml is [5s] and 5s in the
copy that it gets. The thresholds are those of the file.
"""

import json
import os
import re
import urllib.error
import urllib.request

from stage import ROOT  # finds tests/lib for what follows
import procs

RULES = os.path.join(ROOT, "demo", "prometheus", "alerts.yml")

CONFIG = """\
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [alerts.yml]
scrape_configs:
  - job_name: mtls-shim
    static_configs:
      - targets: ['127.0.0.1:{port}']
"""


def quickened(rules):
    """The same rules, with seconds in place of minutes."""
    changed, count = re.subn(r"(\[|for: )(\d+)m\b", r"\1\2s", rules)
    if count == 0:
        raise AssertionError(f"no minutes in {RULES}")
    return changed


class Monitor:
    def __init__(self, stage, policy):
        self.stage = stage
        self.policy = policy
        self.port = procs.free_port()
        self.exporter_port = procs.free_port()

    def start(self):
        with open(RULES, encoding="utf-8") as file:
            self.stage.write("alerts.yml", quickened(file.read()))
        self.stage.write("prometheus.yml", CONFIG.format(port=self.exporter_port))
        self.stage.start("exporter", "mtlsctl", "metrics", "-p", self.policy, "--listen",
                         f":{self.exporter_port}").listens(self.exporter_port)
        self.stage.start("prometheus", "prometheus", "--config.file=prometheus.yml",
                         "--storage.tsdb.path=tsdb",
                         f"--web.listen-address=127.0.0.1:{self.port}").listens(self.port, 60)

    def _get(self, path):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=10) as page:
                return json.load(page)["data"]
        except (urllib.error.URLError, TimeoutError):  # it is starting
            return None

    def is_scraping(self):
        told = self._get("targets?state=active")
        return bool(told) and [target["health"] for target in told["activeTargets"]] == ["up"]

    def firing(self):
        """The alerts that fire now: their labels and annotations, by name."""
        told = self._get("alerts")
        if told is None:
            raise AssertionError("Prometheus does not answer")
        return {alert["labels"]["alertname"]: alert for alert in told["alerts"]
                if alert["state"] == "firing"}
