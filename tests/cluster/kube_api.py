"""The Kubernetes API through `kubectl proxy`, which knows how to log in to whatever cluster KUBECONFIG is of."""

import http.client
import json
import re
import subprocess

from waiting import PATIENCE, wait_for


class Refused(Exception):
    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class Api:
    """Ends with the `with` block."""

    def __init__(self, kubectl):
        self.proxy = subprocess.Popen([*kubectl, "proxy", "--port=0"], stdout=subprocess.PIPE, text=True)
        line = self.proxy.stdout.readline()
        port = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not port:
            raise RuntimeError(f"kubectl proxy does not start: {line}")
        self.port = int(port.group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.terminate()
        self.proxy.wait()
        self.proxy.stdout.close()

    def request(self, method, path, body=None):
        """Each over a connection of its own, for any thread to call."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            raise Refused(answer.status, text)
        return text

    def get(self, path):
        """None: there is none."""
        try:
            return json.loads(self.request("GET", path))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def create(self, path, body):
        self.request("POST", path, body)

    def delete(self, path):
        """And waits until it is gone: a pod is when its containers are."""
        self.request("DELETE", path, {"propagationPolicy": "Foreground"})
        wait_for(f"the end of {path}", lambda: self.get(path) is None)
