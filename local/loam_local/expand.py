"""`expand`: the template as tests read it: as written, in plain JSON, and as CloudFormation gets it. No network."""

import argparse
import copy
import json
import os
from pathlib import Path
from typing import Any

from loam_local.errors import LocalError

_LANGUAGE = "AWS::LanguageExtensions"
_SAM = "AWS::Serverless-2016-10-31"
# The managed policies that a template may name without its ARN; SAM asks AWS for the list, we have no network.
_MANAGED = {name: f"arn:aws:iam::aws:policy/{name}" for name in ("AWSXrayWriteOnlyAccess", "AdministratorAccess")} | {
    name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in
    ("AWSLambdaBasicExecutionRole", "AWSLambdaSQSQueueExecutionRole", "AWSLambdaDynamoDBExecutionRole",
     "AWSLambdaKinesisExecutionRole")}


class _Policies:
    """What SAM loads managed policies with."""

    def load(self) -> dict[str, str]:
        """Name to ARN."""
        return _MANAGED


def run(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """`{"sam": as written, "cloudformation": expanded}`, intrinsic functions in their long form."""
    os.environ.update({"AWS_DEFAULT_REGION": arguments.region, "AWS_REGION": arguments.region})
    written = _read(Path(arguments.template))
    parameters = _defaults(written) | dict(given.split("=", 1) for given in arguments.parameter)
    result = {"sam": written, "cloudformation": _expanded(_packaged(written), parameters)}
    if not arguments.out:
        return result
    Path(arguments.out).write_text(json.dumps(result, indent=1, default=str))
    return None


def _read(path: Path) -> dict[str, Any]:
    import yaml
    from samtranslator.yaml_helper import yaml_parse

    try:
        parsed = yaml_parse(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise LocalError("template-unreadable", f"{path} is no template that can be read: {error}") from error
    return json.loads(json.dumps(parsed, default=str))


def _defaults(template: dict[str, Any]) -> dict[str, str]:
    parameters = template.get("Parameters", {})
    return {name: str(entry["Default"]) for name, entry in parameters.items() if "Default" in entry}


def _packaged(written: dict[str, Any]) -> dict[str, Any]:
    """The template as `sam deploy` would send it, were the code uploaded: SAM takes no local CodeUri."""
    template = copy.deepcopy(written)
    for resource in template.get("Resources", {}).values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(name), str) and not properties[name].startswith("s3://"):
                properties[name] = f"s3://not-uploaded/{properties[name]}"
    return template


def _expanded(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
    """Both transforms in AWS's order; the language extensions are the ones that the local AWS itself applies."""
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.translator.transform import transform

    declared = template.get("Transform", [])
    declared = declared if isinstance(declared, list) else [declared]
    if _LANGUAGE in declared:
        from ministack.services.cloudformation import language_extensions

        template = language_extensions.apply(template, parameters)
        template["Transform"] = [name for name in declared if name != _LANGUAGE]
    if _SAM not in declared:
        return template
    try:
        return transform(template, parameters, _Policies())  # type: ignore[arg-type]
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise LocalError("template-invalid", f"SAM refuses the template: {causes}") from error
