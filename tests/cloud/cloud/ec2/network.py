"""Interfaces and security groups: the groups of a machine's interface, and the users of a group."""
from moto.core.responses import EmptyResult
from moto.ec2.models import EC2Backend

from ..wire import Refusal


class Network:
    def __init__(self, cloud):
        self.cloud = cloud

    def install(self, response_class):
        moto_delete, moto_modify = response_class.delete_security_group, EC2Backend.modify_network_interface_attribute
        moto_delete_key = response_class.delete_key_pair

        def delete_security_group(response):
            backend = response.ec2_backend
            group = self._group(backend, response)
            if group is not None:
                self._refuse_if_used(backend, group)
            return moto_delete(response)

        def modify_network_interface_attribute(backend, eni_id, group_ids, source_dest_check=None, description=None):
            for group_id in group_ids:
                if backend.get_security_group_from_id(group_id) is None:
                    raise Refusal("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
            moto_modify(backend, eni_id, group_ids, source_dest_check, description)
            eni = backend.get_network_interface(eni_id)
            if group_ids and eni.instance is not None:
                # Moto shows both the interface's groups and the instance's; in a VPC they are the same.
                eni.instance.security_groups = list(eni._group_set)

        def delete_key_pair(response):
            by_id = response._get_param("KeyPairId")
            if by_id and not response._get_param("KeyName"):
                backend = response.ec2_backend
                name = next((name for name, pair in backend.key_pairs.items() if pair.id == by_id), None)
                response.error_on_dryrun()
                if name is not None:
                    backend.delete_key_pair(name)
                return EmptyResult()
            return moto_delete_key(response)

        response_class.delete_security_group = delete_security_group
        response_class.delete_key_pair = delete_key_pair
        EC2Backend.modify_network_interface_attribute = modify_network_interface_attribute

    @staticmethod
    def _group(backend, response):
        group_id, name = response._get_param("GroupId"), response._get_param("GroupName")
        if group_id:
            return backend.get_security_group_from_id(group_id)
        return backend.get_security_group_from_name(name) if name else None

    @staticmethod
    def _refuse_if_used(backend, group):
        if any(group in eni.group_set for eni in backend.enis.values()):
            raise Refusal("DependencyViolation", f"resource {group.id} has a dependent object")
        for groups in backend.groups.values():
            for other in groups.values():
                rules = [*other.ingress_rules, *other.egress_rules]
                if other.id != group.id and any(rule.source_group.get("GroupId") == group.id for rule in rules):
                    raise Refusal("DependencyViolation", f"resource {group.id} has a dependent object")
