"""Opens a message as the official client does: its header and body come on standard input, the file goes out."""

import base64
import json
import sys

from aws_encryption_sdk import CommitmentPolicy, EncryptionSDKClient
from aws_encryption_sdk.identifiers import EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.key_providers.raw import RawMasterKey

namespace, name, key, context = sys.argv[1:]
wrapping = WrappingKey(
    WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING, base64.b64decode(key), EncryptionKeyType.SYMMETRIC
)
reader = RawMasterKey(provider_id=namespace, key_id=name.encode(), wrapping_key=wrapping)
client = EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
plaintext, header = client.decrypt(source=sys.stdin.buffer.read(), key_provider=reader)
assert header.encryption_context == json.loads(context), header.encryption_context
sys.stdout.buffer.write(plaintext)
