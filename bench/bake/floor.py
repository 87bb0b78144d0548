"""The irreducible time of a bake, from the cloud's own records of the same run.

It is the sum of what no program could omit: RunInstances, pending, boot, the build's steps, StopInstances and the
guest's shutdown (or EC2's transition to `stopped`), CreateSnapshots and the snapshot, RegisterImage twice including the
second until the image is available, and between the two a machine booted from the image with the test's steps. Nothing
else counts: no look-ups, key pair or group before it, no handshake, no seal, no polls. With N images the token bucket
of RunInstances is a transition, too: with 5 at once and 2 a second, the last one waits (N - 5) / 2 s.
"""


def irreducible(images, transitions, latency, report, proven):
    served = {}
    for entry in transitions:
        served.setdefault(entry["transition"], []).append(entry["seconds"])

    def mean(name):
        values = served.get(name, [])
        return sum(values) / images if values else 0.0

    calls = latency["calls"]
    down = served.get("guest_down", served["stop_request_to_guest_halted"])
    parts = {
        "launches": 2 * calls["run_instances"] + mean("instance_pending_to_running"),
        "boots": sum(mean(name) for name in served if name.startswith("running_to_ssh_")),
        "at rest": calls["stop_instances"] + (sum(down) / len(down) if proven else mean("stop_api_to_stopped")),
        "snapshot": calls["snapshot"] + sum(mean(name) for name in served if name.startswith("create_")),
        "registrations": 2 * calls["create_image"] + mean("register_image_to_available"),
        "steps": sum(step["took"] for image in report["images"] for step in image["steps"]) / images,
    }
    if images > 5:
        parts["RunInstances bucket"] = (images - 5) / 2
    return parts
