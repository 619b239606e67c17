"""Identities of an identity pool: who gets credentials, and what AWS IoT lets them do."""

import json
from typing import Any

import app
import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Local, allow, document

_ARN = f"arn:aws:iot:{REGION}:{ACCOUNT}"
_SUB = "${cognito-identity.amazonaws.com:sub}"
_CLIENT = "${iot:ClientId}"


def _mailbox(who: str, client: str) -> list[dict[str, Any]]:
    """The statements that let `who` use a mailbox of its own."""
    return [allow("iot:Connect", f"{_ARN}:client/{client}"), allow("iot:Publish", f"{_ARN}:topic/probe/{who}/*"),
            allow("iot:Receive", f"{_ARN}:topic/probe/{who}/*"),
            allow("iot:Subscribe", f"{_ARN}:topicfilter/probe/{who}/*")]


def _attached(local: Local, identity: str, *statements: dict[str, Any]) -> str:
    name = local.name("policy")
    local.client("iot").create_policy(policyName=name, policyDocument=document(*statements))
    local.client("iot").attach_policy(policyName=name, target=identity)
    return name


@pytest.fixture(scope="module")
def people(local: Local) -> app.People:
    """Pools whose role gives each identity its own mailbox."""
    return app.people(local, *_mailbox(_SUB, _SUB), allow("iot:Publish", f"{_ARN}:topic/more/*"))


def _with_mailbox(people: app.People) -> tuple[str, dict[str, str]]:
    """A person with an identity whose IoT policy allows the mailbox."""
    identity, key = people.joined()
    _attached(people.local, identity, *_mailbox(_CLIENT, f"{REGION}:*"))
    return identity, key


def _session(people: app.People, identity: str, key: dict[str, str]) -> app.Session:
    """A fresh session: the broker ends one that asks for what it may not."""
    found = app.connect(people.local, key, identity)
    assert found
    return found


def _code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_an_id_token_brings_one_identity_and_an_access_token_none(people: app.People) -> None:
    tokens = people.tokens()
    identity = people.identity(tokens["IdToken"])
    assert people.identity(tokens["IdToken"]) == identity
    get_id = people.local.client("cognito-identity").get_id
    assert _code(get_id, IdentityPoolId=people.pool,
                 Logins={people.provider(): tokens["AccessToken"]}) == "NotAuthorizedException"


def test_an_identity_has_its_credentials_only_by_its_own_persons_token(people: app.People) -> None:
    identity, other = people.identity(people.tokens()["IdToken"]), people.tokens()["IdToken"]
    vend = people.local.client("cognito-identity").get_credentials_for_identity
    assert _code(vend, IdentityId=identity, Logins={people.provider(): other}) == "NotAuthorizedException"
    assert _code(vend, IdentityId=identity) == "NotAuthorizedException"


@pytest.mark.parametrize("trust", [{"audience": f"{REGION}:0"}, {"amr": "unauthenticated"}])
def test_a_role_that_does_not_trust_the_pool_gives_nothing(local: Local, trust: dict[str, str]) -> None:
    people = app.people(local, allow("*", "*"), **trust)
    token = people.tokens()["IdToken"]
    vend = local.client("cognito-identity").get_credentials_for_identity
    code = _code(vend, IdentityId=people.identity(token), Logins={people.provider(): token})
    assert code == "InvalidIdentityPoolConfigurationException"


def test_a_policy_of_the_role_knows_who_calls(local: Local) -> None:
    bucket = local.bucket()
    people = app.people(local, allow("s3:PutObject", f"arn:aws:s3:::{bucket}/{_SUB}/*"))
    (mine, key), (other, _key) = people.joined(), people.joined()
    put = app.client_of(local, "s3", key).put_object
    put(Bucket=bucket, Key=f"{mine}/a", Body=b"")
    for foreign in (f"{other}/a", f"{_SUB}/a"):
        assert _code(put, Bucket=bucket, Key=foreign, Body=b"") == "AccessDenied"


def test_an_identity_without_an_iot_policy_is_not_connected(people: app.People) -> None:
    identity, key = people.joined()
    assert app.connect(people.local, key, identity) is None


def test_what_both_policies_allow_is_allowed(people: app.People) -> None:
    identity, key = _with_mailbox(people)
    session = _session(people, identity, key)
    assert session.subscribe(f"probe/{identity}/#")
    assert session.publish(f"probe/{identity}/up", {"n": 1})
    assert session.hears() == (f"probe/{identity}/up", b'{"n": 1}')
    session.close()


def test_what_only_the_role_allows_is_refused(people: app.People) -> None:
    identity, key = _with_mailbox(people)
    assert not _session(people, identity, key).publish("more/x", {})


def test_what_only_the_identitys_policy_allows_is_refused(people: app.People) -> None:
    identity, key = _with_mailbox(people)
    _attached(people.local, identity, allow("iot:*", "*"))
    assert not _session(people, identity, key).subscribe("other/x")
    assert not _session(people, identity, key).publish("other/x", {})


def test_another_identitys_client_id_and_mailbox_are_refused(people: app.People) -> None:
    (identity, key), (other, _key) = _with_mailbox(people), _with_mailbox(people)
    assert app.connect(people.local, key, other) is None
    assert not _session(people, identity, key).subscribe(f"probe/{other}/#")
    assert not _session(people, identity, key).publish(f"probe/{other}/x", {})


def test_a_policy_that_is_detached_is_missed_at_the_next_message(people: app.People) -> None:
    identity, key = people.joined()
    policy = _attached(people.local, identity, *_mailbox(_CLIENT, f"{REGION}:*"))
    session = _session(people, identity, key)
    assert session.publish(f"probe/{identity}/x", {})
    (target,) = people.local.client("iot").list_targets_for_policy(policyName=policy)["targets"]
    people.local.client("iot").detach_policy(policyName=policy, target=target)
    assert not session.publish(f"probe/{identity}/x", {})


def test_over_https_the_identitys_policy_counts_as_well(people: app.People) -> None:
    identity, key = people.joined()
    publish = app.client_of(people.local, "iot-data", key).publish
    assert _code(publish, topic="more/x", payload=b"{}") == "ForbiddenException"
    _attached(people.local, identity, allow("iot:Publish", f"{_ARN}:topic/more/*"))
    publish(topic="more/x", payload=b"{}")


def test_rules_and_lifecycle_events_know_an_identity_by_its_client_id(people: app.People) -> None:
    local, (identity, key) = people.local, _with_mailbox(people)
    url, arn = local.queue()
    action = {"sqs": {"queueUrl": url, "useBase64": False,
                      "roleArn": local.role("iot.amazonaws.com", allow("sqs:SendMessage", arn))}}
    local.rule(f"SELECT clientid() AS client, topic() AS topic FROM 'probe/{identity}/up'", action)
    local.rule(f"SELECT * FROM '$aws/events/presence/+/{identity}'", action)
    session = _session(people, identity, key)
    event = local.received(url)
    assert (event["clientId"], event["eventType"], "thingName" in event) == (identity, "connected", False)
    assert session.publish(f"probe/{identity}/up", {})
    assert local.received(url) == {"client": identity, "topic": f"probe/{identity}/up"}
    session.close()
    event = local.received(url)
    assert (event["clientId"], event["eventType"]) == (identity, "disconnected")
    assert json.dumps(event).count("secret") == 0
