"""What AWS documents about the permissions of batch calls, and the emulator alone does not do."""

import json

import pytest
from botocore.exceptions import ClientError
from conftest import ACCOUNT, REGION, Local, allow


def _as_role(local: Local, action: str, resource: str, service: str):
    from loam_local import aws

    role = local.role("iot.amazonaws.com", allow(action, resource))
    iam, name = local.client("iam"), role.rsplit("/", 1)[-1]
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}]}))
    session = local.client("sts").assume_role(RoleArn=role, RoleSessionName="probe")["Credentials"]
    return aws.client(service, local.endpoint, REGION, {"accessKeyId": session["AccessKeyId"],
                      "secretAccessKey": session["SecretAccessKey"], "sessionToken": session["SessionToken"]})


def test_publishing_a_batch_is_granted_by_sns_publish(local: Local) -> None:
    topic = local.client("sns").create_topic(Name=local.name("batch"))["TopicArn"]
    sns = _as_role(local, "sns:Publish", topic, "sns")
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": "0", "Message": "m"}])
    assert [entry["Id"] for entry in answer["Successful"]] == ["0"]


def test_sending_a_batch_is_granted_by_sqs_send_message_and_by_nothing_else(local: Local) -> None:
    queue = local.client("sqs").create_queue(QueueName=local.name("batch"))["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rsplit('/', 1)[-1]}"
    entries = [{"Id": "0", "MessageBody": "m"}]
    granted = _as_role(local, "sqs:SendMessage", arn, "sqs")
    assert granted.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]
    with pytest.raises(ClientError):
        _as_role(local, "sqs:ReceiveMessage", arn, "sqs").send_message_batch(QueueUrl=queue, Entries=entries)
