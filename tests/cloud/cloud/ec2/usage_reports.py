"""Usage reports of the account's own images: their use by all accounts at the time of the call. Pending when first
described."""
import datetime
import itertools

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends

from ..wire import Refusal

KINDS = ("ec2:Instance", "ec2:LaunchTemplate")
ALIVE = ("pending", "running", "shutting-down", "stopping", "stopped")


class UsageReports:
    def __init__(self, cloud):
        self.cloud = cloud
        self._reports = []
        self._tokens = {}
        self._ids = itertools.count(1)

    def install(self, response_class):
        for name in ("create_image_usage_report", "describe_image_usage_reports", "describe_image_usage_report_entries"):
            setattr(response_class, name, lambda response, work=getattr(self, name): work(response))

    def create_image_usage_report(self, response):
        backend, get = response.ec2_backend, response._get_param
        image = self.cloud.images.get(backend, get("ImageId"))
        if image.owner_id != backend.account_id:
            raise Refusal("OperationNotPermitted", "You can only create usage reports for images that you own")
        kinds = [request.get("ResourceType") for request in get("ResourceTypes", []) or []]
        if not kinds or not set(kinds) <= set(KINDS):
            raise Refusal("InvalidParameterValue", f"ResourceTypes must name some of {', '.join(KINDS)}")
        token = get("ClientToken")
        if token and len(token) > 64:
            raise Refusal("InvalidParameterValue", "The client token has more than 64 characters")
        response.error_on_dryrun()
        if token not in self._tokens:
            now = datetime.datetime.now(datetime.timezone.utc)
            report = {"ReportId": f"imgrpt-{next(self._ids):017x}", "ImageId": image.id, "CreationTime": now, "account": backend.account_id, "seen": False,
                      "region": backend.region_name, "entries": self._entries(image.id, backend.region_name, kinds)}
            self._reports.append(report)
            self._tokens[token or report["ReportId"]] = report["ReportId"]
            token = token or report["ReportId"]
        return ActionResult({"ReportId": self._tokens[token]})

    def _entries(self, image, region, kinds):
        entries = []
        for account, regions in ec2_backends.items():
            backend = regions[region]
            instances = (one for reservation in backend.reservations.values() for one in reservation.instances)
            templates = backend.launch_templates.values()
            counts = {
                "ec2:Instance": sum(one.image_id == image and one.state in ALIVE for one in instances),
                "ec2:LaunchTemplate": sum(any(version and version.image_id == image for version in template.versions) for template in templates),
            }
            entries += [{"ResourceType": kind, "UsageCount": counts[kind], "AccountId": account, "ImageId": image} for kind in kinds if counts[kind]]
        return entries

    def _own(self, backend):
        return [report for report in self._reports if (report["account"], report["region"]) == (backend.account_id, backend.region_name)]

    def describe_image_usage_reports(self, response):
        wanted = response._get_param("ImageIds", []) or []
        response.error_on_dryrun()
        reports = [report for report in self._own(response.ec2_backend) if not wanted or report["ImageId"] in wanted]
        answer = [{"ReportId": report["ReportId"], "ImageId": report["ImageId"], "CreationTime": report["CreationTime"],
                   "State": "available" if report["seen"] else "pending"} for report in reports]
        for report in reports:
            report["seen"] = True
        return ActionResult({"ImageUsageReports": answer})

    def describe_image_usage_report_entries(self, response):
        wanted = response._get_param("ReportIds", []) or []
        response.error_on_dryrun()
        reports = [report for report in self._own(response.ec2_backend) if not wanted or report["ReportId"] in wanted]
        entries = [{**entry, "ReportId": report["ReportId"], "ReportCreationTime": report["CreationTime"]}
                   for report in reports if report["seen"] for entry in report["entries"]]
        return ActionResult({"ImageUsageReportEntries": entries})
