"""A program that runs REDbot: ``python -m tests.servers.redbot.robot``.

Standard input is a JSON list of pairs: the URL and the headers of a request. Standard output is the
status, Cache-Control and notes of each. REDbot has one event loop, so it needs its own process.

Source: https://github.com/mnot/redbot
"""

import json
import sys
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource


def look_at(requests):
    """Return REDbot's results for resources, which it requests at the same time."""
    config = ConfigParser()
    config.read_dict({"redbot": {"enable_local_access": "True"}})
    resources, waiting = [], set()
    for number, (url, headers) in enumerate(requests):
        # Other tests check REDbot's further requests, such as those for ranges.
        resource = HttpResource(config["redbot"], active_checks_enabled=False)
        resource.set_request(url, headers=list(headers.items()))

        def finish(number=number):
            waiting.discard(number)
            if not waiting:
                thor.stop()

        resource.on("check_done", finish)
        resources.append(resource)
        waiting.add(number)
    for resource in resources:
        resource.check()
    if waiting:
        thor.run()
    return [describe(resource.response) for resource in resources]


def describe(response):
    """Return the relevant parts of a response."""
    return {
        "status": response.status_code,
        "cache_control": [v for n, v in response.headers.text if n.lower() == "cache-control"],
        "notes": sorted(type(note).__name__ for note in response.notes),
    }


if __name__ == "__main__":
    json.dump(look_at(json.load(sys.stdin)), sys.stdout)
