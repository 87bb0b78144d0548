"""Regions that an account has not enabled: EC2 lists them when asked for all, and no other call works there."""
from moto.core.responses import ActionResult
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from ..wire import Refusal

# Account Management reference guide, "Enable or disable AWS Regions in your account".
STATUS = {region.name: region.opt_in_status for region in RegionsAndZonesBackend.regions}
REGIONAL = {"ec2", "ssm", "autoscaling"}


def check(call):
    """In a region that is not enabled no credentials are known (EC2 user guide, "Regions and Zones")."""
    if call.service in REGIONAL and STATUS.get(call.region) == "not-opted-in":
        raise Refusal("AuthFailure", "AWS was not able to validate the provided access credentials", 401)


def install(response_class):
    response_class.describe_regions = describe_regions


def describe_regions(response):
    response.error_on_dryrun()
    filters, names = response._filters_from_querystring(), response._get_param("RegionNames", [])
    everything = str(response._get_param("AllRegions")).lower() == "true"
    found = []
    for region in RegionsAndZonesBackend.regions:
        if not everything and region.opt_in_status == "not-opted-in":
            continue
        if names and region.name not in names or "region-name" in filters and region.name not in filters["region-name"]:
            continue
        if region.name.startswith(("cn-", "us-gov-")) and not response.region.startswith(region.name[:3]):
            continue
        found.append({"RegionName": region.name, "Endpoint": region.endpoint, "OptInStatus": region.opt_in_status})
    if names and len(found) < len(names):
        raise Refusal("InvalidParameterValue", f"Invalid region names: {sorted(set(names) - {one['RegionName'] for one in found})}")
    return ActionResult({"Regions": found})
