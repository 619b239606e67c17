"""Who may do what: a service acting under a role, and a service named by a resource's own policy."""

import json
from typing import Any


def refusal(role_arn: str, service: str, action: str, resource: str, region: str, source_arn: str) -> str | None:
    """Why `service` may not do `action` on `resource` under the role; None when it may.

    Checks that the role exists, that its trust policy lets the service assume it (with the source's ARN and account
    as condition keys), and its identity policies, boundary and the resource's policy. Keys of KMS are not checked.
    """
    account, name, role = found(role_arn)
    if role is None:
        return f"role {role_arn} does not exist"
    if not trusts(role, service, account, region, source_arn):
        return f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    principal = f"arn:aws:sts::{account}:assumed-role/{name}/loam-local"
    if _allows(principal, name, account, region, action, resource):
        return None
    return f"User: {principal} is not authorized to perform: {action} on resource: {resource}"


def found(role_arn: str) -> tuple[str, str, dict[str, Any] | None]:
    """Account and name that the ARN tells, and the role, if there is one."""
    from ministack.services import iam

    account, name = (role_arn.split(":") + [""] * 5)[4], role_arn.rsplit("/", 1)[-1]
    return account, name, iam._roles.get_scoped(account, None, name) if ":role/" in role_arn else None


def trusts(role: dict[str, Any], service: str, account: str, region: str, source_arn: str) -> bool:
    """Whether the role's trust policy lets the AWS service assume it for the source."""
    trust = role.get("AssumeRolePolicyDocument") or "{}"
    return service_may(trust, service, "sts:AssumeRole", "*", region, source_arn, account)


def service_may(policy: Any, service: str, action: str, resource: str, region: str, source_arn: str,
                source_account: str) -> bool:
    """Whether a policy that names principals lets the AWS service act for the source."""
    from ministack.core import iam_evaluator

    context = _context(service, source_account, action, resource, region)
    context.principal_type = "Service"
    context.service_context = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account}
    document = json.loads(policy) if isinstance(policy, str) else policy
    return iam_evaluator.evaluate_resource_policy(document, context, service=service).decision == "Allow"


def _allows(principal: str, role: str, account: str, region: str, action: str, resource: str) -> bool:
    from ministack.core import iam_evaluator
    from ministack.core.responses import request_scope
    from ministack.services import iam

    context = _context(principal, account, action, resource, region)
    with request_scope(account, region):
        limits = iam_evaluator._permissions_boundary(iam._roles, role, account)
        result = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(role, account), *limits)
        own = iam_evaluator._resource_policy(action.partition(":")[0], resource)
        if own is not None:
            result = iam_evaluator.combine_resource_policy(result, context, *own, limits=limits)
    return result.decision == "Allow"


def _context(principal: str, account: str, action: str, resource: str, region: str) -> Any:
    from ministack.core.iam_evaluator import EvalContext

    return EvalContext(principal_arn=principal, principal_type="AssumedRole", principal_account=account, action=action,
                       resource_arn=resource, region=region, service_context={"aws:tagkeys": None})
