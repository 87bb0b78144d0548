"""The admin interface under /_cloud: fault rules, and records of what has happened. JSON in, JSON out."""
import json

from moto.ec2.models import ec2_backends


class Admin:
    def __init__(self, cloud, leaks):
        self.cloud = cloud
        self.leaks = leaks

    def answer(self, method, path, body):
        """(status, object) for a request below /_cloud."""
        name = path.strip("/").split("/")
        try:
            given = json.loads(body) if body else {}
            work = getattr(self, f"{method.lower()}_{name[0]}", None)
            if work is None:
                return 404, {"error": f"no {method} /_cloud/{name[0]}"}
            return 200, work(given, *name[1:])
        except (ValueError, TypeError, KeyError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    # rules --------------------------------------------------------------------------------------------------

    def get_faults(self, _):
        return self.cloud.faults.list()

    def post_faults(self, given):
        rules = given if isinstance(given, list) else [given]
        return [self.cloud.faults.add(rule).as_json() for rule in rules]

    def delete_faults(self, _, number=None):
        self.cloud.faults.clear(int(number) if number else None)
        return {}

    def get_permissions(self, _):
        return {"deny": self.cloud.permissions.list()}

    def post_permissions(self, given):
        self.cloud.permissions.set(given.get("deny", []))
        return self.get_permissions(given)

    def post_policies(self, given):
        self.cloud.permissions.policies.put(given["key"], given["policy"], given.get("roles", {}))
        return {}

    def get_denied(self, _):
        return self.cloud.permissions.policies.denied()

    def get_throttle(self, _):
        return {"enabled": self.cloud.throttle.enabled}

    def post_throttle(self, given):
        self.cloud.throttle.enabled = bool(given["enabled"])
        return self.get_throttle(given)

    def post_quotas(self, given):
        self.cloud.snapshots.copies = int(given["copies"])
        return given

    def get_latency(self, _):
        return self.cloud.latency.all()

    def post_clock(self, given):
        if "date" in given:
            self.cloud.date = float(given["date"])
        if "advance" in given:
            self.cloud.advance(float(given["advance"]))
        return {}

    def post_latency(self, given):
        self.cloud.latency.update(given)
        return self.cloud.latency.all()

    def post_components(self, given):
        self.cloud.components.put(given)
        return {}

    # observation --------------------------------------------------------------------------------------------

    def get_calls(self, _):
        return self.cloud.calls.list()

    def delete_calls(self, _):
        self.cloud.calls.clear()
        return {}

    def get_created(self, _):
        """Every ID in the answers of calls that create something, in the order of creation, whether it still exists
        or not."""
        with self.cloud.lock:
            return list(self.cloud.created)

    def get_transitions(self, _):
        return self.cloud.latency.served()

    def get_leaks(self, _):
        return self.leaks.list()

    def delete_leaks(self, _):
        self.leaks.forgive()
        return {}

    def get_instances(self, _):
        found = []
        with self.cloud.lock:
            for machine in self.cloud.machines.values():
                instance = machine.instance
                found.append({"id": machine.id, "region": instance.region_name, "account": instance.owner_id, "state": instance.state, "type": instance.instance_type,
                              "image": instance.image_id, "address": machine.address, "user": machine.settings["user"], "alive": machine.alive,
                              "boot_id": machine.boot_id, "upper": machine.root.upper, "layers": list(machine.root.content.layers),
                              "console": machine.console().decode("utf-8", "replace")})
        return found

    def get_images(self, _):
        """Images of clients with the layers of each snapshot, topmost first; all of them are above the host's root."""
        found = []
        with self.cloud.lock:
            for account, regions in list(ec2_backends.items()):
                for region, backend in list(regions.items()):
                    for image in backend.amis.values():
                        layers = {snapshot: list(self.cloud.contents[snapshot].layers) for snapshot in image.snapshot_ids if snapshot in self.cloud.contents}
                        found.append({"id": image.id, "name": image.name, "region": region, "account": account, "state": image.state, "snapshots": layers,
                                      "root": image.root_device_name, "mappings": image.block_device_mappings})
        return found

    def post_images(self, given):
        with self.cloud.lock:
            return {"id": self.cloud.seeds.plant(**given)}

    def get_snapshots(self, _):
        with self.cloud.lock:
            return {snapshot: list(content.layers) for snapshot, content in self.cloud.contents.items()}
