"""`user`: a person in a stack's user pool, with a password that only the state directory knows, and a fresh token."""

import argparse
import fcntl
import os
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loam_local import aws
from loam_local.errors import LocalError

# One of each, as the pool's password policy demands, and enough of the rest.
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!-_.~")
_LENGTH = 24


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ensure the person, the password and the groups; sign in; keep the access token in `<name>.token`."""
    if not arguments.name.replace("-", "").isalnum():
        raise LocalError("invalid-name", f"{arguments.name!r} is no name: expected letters, digits and hyphens", 2)
    state = Path(arguments.state)
    state.mkdir(parents=True, exist_ok=True)
    outputs = aws.outputs(aws.stack(aws.client("cloudformation", arguments.endpoint, arguments.region), arguments.stack))
    pool, client = (_output(outputs, name) for name in ("UserPoolId", "UserPoolClientId"))
    cognito = aws.client("cognito-idp", arguments.endpoint, arguments.region)
    mail = f"{arguments.name}@example.com"
    with _alone(state / f"{arguments.name}.lock"):
        password = _person(cognito, pool, mail, state / f"{arguments.name}.password")
        for group in arguments.group:
            _join(cognito, pool, mail, group)
        tokens = _sign_in(cognito, client, mail, password)
        token_file = state / f"{arguments.name}.token"
        _keep(token_file, tokens["AccessToken"])
    return {"name": arguments.name, "mail": mail, "groups": arguments.group, "api": outputs.get("ApiUrl"),
            "tokenFile": str(token_file), "validSeconds": tokens["ExpiresIn"],
            "token": tokens["AccessToken"], "idToken": tokens["IdToken"]}


def _output(outputs: dict[str, str], name: str) -> str:
    if name not in outputs:
        raise LocalError("output-not-found", f"the stack has no output {name}: deploy a template that declares it")
    return outputs[name]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time: each would set a password of its own."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _person(cognito: Any, pool: str, mail: str, kept: Path) -> str:
    """The person's password: the kept one, or a new one that is set now. No mail is sent."""
    found = _exists(cognito, pool, mail)
    if found and kept.exists():
        return kept.read_text()
    if not found:
        attributes = [{"Name": "email", "Value": mail}, {"Name": "email_verified", "Value": "true"}]
        cognito.admin_create_user(UserPoolId=pool, Username=mail, UserAttributes=attributes, MessageAction="SUPPRESS")
    password = _password()
    cognito.admin_set_user_password(UserPoolId=pool, Username=mail, Password=password, Permanent=True)
    _keep(kept, password)
    return password


def _exists(cognito: Any, pool: str, mail: str) -> bool:
    try:
        cognito.admin_get_user(UserPoolId=pool, Username=mail)
    except cognito.exceptions.UserNotFoundException:
        return False
    return True


def _join(cognito: Any, pool: str, mail: str, group: str) -> None:
    """Put the person into the group; make the group if the template does not."""
    try:
        cognito.get_group(UserPoolId=pool, GroupName=group)
    except cognito.exceptions.ResourceNotFoundException:
        cognito.create_group(UserPoolId=pool, GroupName=group)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username=mail, GroupName=group)


def _sign_in(cognito: Any, client: str, mail: str, password: str) -> dict[str, Any]:
    answer = cognito.initiate_auth(ClientId=client, AuthFlow="USER_PASSWORD_AUTH",
                                   AuthParameters={"USERNAME": mail, "PASSWORD": password})
    if "AuthenticationResult" not in answer:
        challenge = answer.get("ChallengeName")
        raise LocalError("challenged", f"{mail} is asked for {challenge}: sign in with an app that answers it")
    return answer["AuthenticationResult"]


def _password() -> str:
    every = "".join(_CLASSES)
    rest = [secrets.choice(every) for _ in range(_LENGTH - len(_CLASSES))]
    letters = [secrets.choice(letters) for letters in _CLASSES] + rest
    secrets.SystemRandom().shuffle(letters)
    return "".join(letters)


def _keep(path: Path, secret: str) -> None:
    """Only the owner may read it, from its first byte on; replaced as a whole, so that no reader sees half of it."""
    fresh = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret)
    fresh.replace(path)
