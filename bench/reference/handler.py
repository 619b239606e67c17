"""The classic humidity alert in Python: one mail for each dry reading.

What the functions are compared with. It does no more than its purpose asks: the client is made once, when the module is
loaded, and each event is a reading as the classic rule selects it.
"""

import os
from typing import Any

import boto3

THRESHOLD = 35
TOPIC_ARN = os.environ["SNS_TOPIC_ARN"]

notices = boto3.client("sns")


def handler(event: dict[str, Any], _context: object) -> None:
    """Publishes a notice if the reading is below the threshold."""
    humidity = event["humidity"]
    if humidity < THRESHOLD:
        notices.publish(
            TopicArn=TOPIC_ARN,
            Subject="Attention:Humidity Under Threshold",
            Message=f"Humidity {humidity} under threshold for device name {event['name']}",
        )
