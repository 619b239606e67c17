"""What IAM checks of the registry's operations: attaching a policy on its target, describing a CA on that CA."""

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Local, allow, document
from loam_local import aws
from loam_local.pki import Authority

# The emulator's word, and AWS's own for the registry.
_DENIED = ("AccessDeniedException", "AccessDenied", "UnauthorizedException")
_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"


def _client_with(local: Local, *statements: dict[str, Any]) -> Any:
    """A client of a user who may do exactly this."""
    iam, user = local.client("iam"), local.name("user")
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return aws.client("iot", local.endpoint, REGION,
                      {"accessKeyId": key["AccessKeyId"], "secretAccessKey": key["SecretAccessKey"]})


def _code(call: Any, **arguments: str) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_a_policy_is_attached_and_detached_by_a_right_on_its_target(local: Local) -> None:
    admin, name = local.client("iot"), local.name("policy")
    admin.create_policy(policyName=name, policyDocument=document(allow("iot:Connect", "*")))
    mine, other = (admin.create_keys_and_certificate()["certificateArn"] for _certificate in range(2))
    iot = _client_with(local, allow("iot:AttachPolicy", mine), allow("iot:DetachPolicy", mine))
    iot.attach_policy(policyName=name, target=mine)
    iot.detach_policy(policyName=name, target=mine)
    for call in (iot.attach_policy, iot.detach_policy):
        assert _code(call, policyName=name, target=other) in _DENIED


def test_a_ca_is_described_by_a_right_on_it(local: Local, tmp_path: Any) -> None:
    admin, authority = local.client("iot"), Authority.ensure(tmp_path)
    proof, _key = authority.issue(admin.get_registration_code()["registrationCode"])
    ca = admin.register_ca_certificate(caCertificate=authority.pem, verificationCertificate=proof)["certificateId"]
    iot = _client_with(local, allow("iot:DescribeCACertificate", f"{_ARN}:cacert/{ca}"))
    assert iot.describe_ca_certificate(certificateId=ca)["certificateDescription"]["certificateId"] == ca
    assert _code(iot.describe_ca_certificate, certificateId="0" * 64) in _DENIED


def test_a_registered_certificate_is_put_into_the_state_of_its_first_connect(local: Local) -> None:
    made = local.client("iot").create_keys_and_certificate()["certificateId"]
    request = urllib.request.Request(f"{local.endpoint}/_loam/pending/{made}", method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == {"certificateId": made}
    found = local.client("iot").describe_certificate(certificateId=made)["certificateDescription"]
    assert found["status"] == "PENDING_ACTIVATION"
