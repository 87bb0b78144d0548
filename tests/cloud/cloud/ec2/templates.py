"""Launch templates: versions created from others, version numbers that are never reused, and data that EC2 does not
copy."""
import copy

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.utils import parse_user_data

from ..wire import Refusal


class Templates:
    def __init__(self, cloud):
        self.cloud = cloud
        self._tokens = {}  # account, region, token → version

    def install(self, response_class):
        LaunchTemplate.create_version = create_version
        LaunchTemplate.get_version = get_version
        LaunchTemplate.default_version = lambda template: get_version(template, template.default_version_number)
        LaunchTemplate.latest_version = lambda template: template.versions[-1]
        for name in ("create_launch_template_version", "delete_launch_template_versions", "modify_launch_template"):
            setattr(response_class, name, self._handler(name, getattr(response_class, name, None)))

    def _handler(self, name, moto):
        work = getattr(self, name)
        return lambda response: work(response, moto)

    def create_launch_template_version(self, response, _):
        template = named(response)
        token = response._get_param("ClientToken")
        key = (response.current_account, response.region, token)
        description = response._get_param("VersionDescription")
        if len(description or "") > 255:
            raise Refusal("InvalidParameterValue", "The launch template version description must be at most 255 characters.")
        response.error_on_dryrun()
        if token and key in self._tokens:
            return answer(response, template, self._tokens[key])
        given = dict(response._get_param("LaunchTemplateData", {}))
        if given.get("UserData") is not None:
            given["UserData"] = parse_user_data(given["UserData"])
        source = response._get_param("SourceVersion")
        data = inherited(template.get_version(source).data) if source is not None else {}
        data.update(given)
        version = template.create_version(data, description)
        if token:
            self._tokens[key] = version
        return answer(response, template, version)

    def delete_launch_template_versions(self, response, _):
        template = named(response)
        response.error_on_dryrun()
        good, bad = [], []
        for number in response._get_param("Versions", []):
            entry = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(number)}
            version = next((version for version in template.versions if version.number == int(number)), None)
            if version is None:
                bad.append({**entry, "ResponseError": {"Code": "launchTemplateVersionDoesNotExist", "Message": f"Could not find launch template version {number}"}})
            elif template.is_default(version):
                bad.append({**entry, "ResponseError": {"Code": "unexpectedError", "Message": "The default version of a launch template cannot be deleted"}})
            else:
                template.versions.remove(version)
                good.append(entry)
        return ActionResult({"SuccessfullyDeletedLaunchTemplateVersions": good, "UnsuccessfullyDeletedLaunchTemplateVersions": bad})

    def modify_launch_template(self, response, moto):
        template, wanted = named(response), response._get_param("DefaultVersion")
        template.get_version(wanted)
        return moto(response)


def inherited(data):
    """The mapping without the source version's snapshots, which EC2 does not take over
    (CreateLaunchTemplateVersion, SourceVersion)."""
    data = copy.deepcopy(data)
    for mapping in data.get("BlockDeviceMappings") or []:
        (mapping.get("Ebs") or {}).pop("SnapshotId", None)
    return data


def named(response):
    backend, identifier, name = response.ec2_backend, response._get_param("LaunchTemplateId"), response._get_param("LaunchTemplateName")
    if bool(identifier) == bool(name):
        raise Refusal("InvalidParameterCombination", "Specify either the launch template ID or the launch template name, but not both.")
    return backend.get_launch_template(identifier) if identifier else backend.get_launch_template_by_name(name)


def create_version(template, data, description):
    template.highest = getattr(template, "highest", 0) + 1
    version = LaunchTemplateVersion(template, template.highest, data, description)
    template.versions.append(version)
    return version


def get_version(template, wanted):
    if str(wanted).lower() == "$latest":
        return template.versions[-1]
    number = template.default_version_number if str(wanted).lower() == "$default" else wanted
    for version in template.versions:
        if str(version.number) == str(number):
            return version
    raise InvalidLaunchTemplateVersionNotFound(template_id=template.id, version=wanted)


def answer(response, template, version):
    return ActionResult({"LaunchTemplateVersion": {
        "CreateTime": version.create_time, "CreatedBy": f"arn:aws:iam::{response.current_account}:root", "DefaultVersion": template.is_default(version),
        "LaunchTemplateData": version.data, "LaunchTemplateId": template.id, "LaunchTemplateName": template.name,
        "VersionDescription": version.description, "VersionNumber": version.number}})
