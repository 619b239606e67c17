"""Certificate authorities in AWS IoT. Every call is right for AWS and the local AWS."""

from typing import Any

from loam_local.pki import Authority, certificate_id


def ensure(iot: Any, authority: Authority, auto_register: bool, stack: str | None = None) -> str:
    """The id of the authority's CA certificate, registered and ACTIVE.

    AWS wants proof that its key is ours: a certificate whose common name is the account's registration code. One that
    is registered is switched on, and to registering by itself if that is asked for; never off again.
    """
    found = certificate_id(authority.pem)
    try:
        known = iot.describe_ca_certificate(certificateId=found)["certificateDescription"]
    except iot.exceptions.ResourceNotFoundException:
        return _register(iot, authority, auto_register, stack)
    if known["status"] != "ACTIVE" or (auto_register and known.get("autoRegistrationStatus") != "ENABLE"):
        switch = {"newAutoRegistrationStatus": "ENABLE"} if auto_register else {}
        iot.update_ca_certificate(certificateId=found, newStatus="ACTIVE", **switch)
    return found


def _register(iot: Any, authority: Authority, auto_register: bool, stack: str | None) -> str:
    proof, _key = authority.issue(iot.get_registration_code()["registrationCode"])
    tags = {"tags": [{"Key": "stack", "Value": stack}]} if stack else {}
    return iot.register_ca_certificate(caCertificate=authority.pem, verificationCertificate=proof, setAsActive=True,
                                       allowAutoRegistration=auto_register, **tags)["certificateId"]
