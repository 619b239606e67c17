//! Requests in the shapes that SDKs send them.

use super::*;

struct Sent {
    method: &'static str,
    uri: &'static str,
    service: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

impl Sent {
    fn new(service: &'static str, method: &'static str, uri: &'static str) -> Self {
        Self { method, uri, service, headers: Vec::new(), body: "" }
    }

    fn json(service: &'static str, target: &'static str, body: &'static str) -> Self {
        Self { headers: vec![("x-amz-target", target)], body, ..Self::new(service, "POST", "/") }
    }

    fn form(service: &'static str, body: &'static str) -> Self {
        Self { body, ..Self::new(service, "POST", "/") }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn call(&self) -> Call {
        let scope = format!("AKIDEXAMPLE/20261121/eu-central-1/{}/aws4_request", self.service);
        let signature = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature=0123");
        let mut headers = HeaderMap::new();
        headers.insert("authorization", signature.parse().unwrap());
        for (name, value) in &self.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        let body = Bytes::from_static(self.body.as_bytes());
        Call::parse(&self.method.parse().unwrap(), &self.uri.parse().unwrap(), &headers, body)
    }
}

/// `Operation: action on arn, action on arn`.
fn line(sent: &Sent) -> String {
    let call = sent.call();
    let account = Account { region: "eu-central-1".into(), id: "111122223333".into(), ..Account::default() };
    let needs = call
        .needs
        .iter()
        .map(|need| format!("{} on {}", need.action, need.resource.arn(&account).unwrap_or_else(|| "unstated".into())));
    let unknown = if matches!(call.operation, Operation::Unknown(_)) { "unknown " } else { "" };
    format!("{unknown}{}: {}", call.operation.name(), needs.collect::<Vec<_>>().join(", "))
}

fn table(name: &str) -> String {
    format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{name}")
}

#[test]
fn a_signature_tells_service_and_caller() {
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.PutItem", r#"{"TableName":"t"}"#)
        .with("user-agent", "aws-sdk-rust/1.4.0 os/linux lang/rust/1.95.0 app/soil-alerts")
        .with("amz-sdk-invocation-id", "5b0f8a6c");
    let call = sent.call();
    assert_eq!(call.service, Service::DynamoDb);
    assert!(call.caller.is("AKIDEXAMPLE") && call.caller.is("soil-alerts") && !call.caller.is("telemetry"));
    assert_eq!(call.invocation.as_deref(), Some("5b0f8a6c"));
    assert_eq!(call.to_string(), "dynamodb PutItem table/t");
}

#[test]
fn an_item_operation_needs_its_own_action_on_the_table() {
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.UpdateItem", r#"{"TableName":"t","Key":{}}"#);
    assert_eq!(line(&sent), format!("UpdateItem: dynamodb:UpdateItem on {}", table("t")));
}

#[test]
fn a_table_named_by_its_arn_stays_that_arn() {
    let body = r#"{"TableName":"arn:aws:dynamodb:eu-west-1:444455556666:table/far","IndexName":"by-day"}"#;
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.Query", body);
    let arn = "arn:aws:dynamodb:eu-west-1:444455556666:table/far/index/by-day";
    assert_eq!(line(&sent), format!("Query: dynamodb:Query on {arn}"));
}

#[test]
fn a_query_on_an_index_needs_the_index_and_not_the_table() {
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.Query", r#"{"TableName":"t","IndexName":"by-day"}"#);
    assert_eq!(line(&sent), format!("Query: dynamodb:Query on {}", table("t/index/by-day")));
}

#[test]
fn a_transaction_needs_the_action_of_each_of_its_items() {
    let body = r#"{"TransactItems":[{"Put":{"TableName":"a"}},{"ConditionCheck":{"TableName":"b"}},
        {"Update":{"TableName":"a"}},{"Delete":{"TableName":"b"}},{"Put":{"TableName":"a"}}]}"#;
    let (a, b) = (table("a"), table("b"));
    let expected = format!(
        "TransactWriteItems: dynamodb:PutItem on {a}, dynamodb:ConditionCheckItem on {b}, dynamodb:UpdateItem on {a}, \
         dynamodb:DeleteItem on {b}"
    );
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.TransactWriteItems", body);
    assert_eq!(line(&sent), expected);
    assert_eq!(sent.call().resources().len(), 2);
    let body = r#"{"TransactItems":[{"Get":{"TableName":"a"}}]}"#;
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.TransactGetItems", body);
    assert_eq!(line(&sent), format!("TransactGetItems: dynamodb:GetItem on {a}"));
}

#[test]
fn a_batch_needs_the_batch_action_on_each_of_its_tables() {
    let body = r#"{"RequestItems":{"a":[{"PutRequest":{}}],"b":[{"DeleteRequest":{}}]}}"#;
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.BatchWriteItem", body);
    let (a, b) = (table("a"), table("b"));
    let action = "dynamodb:BatchWriteItem on";
    assert_eq!(line(&sent), format!("BatchWriteItem: {action} {a}, {action} {b}"));
}

#[test]
fn a_statement_in_partiql_is_not_understood() {
    let sent = Sent::json("dynamodb", "DynamoDB_20120810.ExecuteStatement", r#"{"Statement":"SELECT"}"#);
    assert!(line(&sent).starts_with("unknown ExecuteStatement"));
}

#[test]
fn a_batch_of_messages_is_granted_as_single_messages() {
    let url = r#"{"QueueUrl":"http://127.0.0.1:4566/111122223333/readings","Entries":[]}"#;
    let arn = "arn:aws:sqs:eu-central-1:111122223333:readings";
    for (operation, action) in [
        ("SendMessage", "SendMessage"),
        ("SendMessageBatch", "SendMessage"),
        ("DeleteMessageBatch", "DeleteMessage"),
        ("ChangeMessageVisibilityBatch", "ChangeMessageVisibility"),
        ("GetQueueAttributes", "GetQueueAttributes"),
    ] {
        let target: &'static str = format!("AmazonSQS.{operation}").leak();
        assert_eq!(line(&Sent::json("sqs", target, url)), format!("{operation}: sqs:{action} on {arn}"));
    }
}

#[test]
fn kinesis_and_kms_name_their_resources_in_the_body() {
    let put = Sent::json("kinesis", "Kinesis_20131202.PutRecord", r#"{"StreamName":"readings"}"#);
    let arn = "arn:aws:kinesis:eu-central-1:111122223333:stream/readings";
    assert_eq!(line(&put), format!("PutRecord: kinesis:PutRecord on {arn}"));
    let data_key = Sent::json("kms", "TrentService.GenerateDataKey", r#"{"KeyId":"1234abcd"}"#);
    let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    assert_eq!(line(&data_key), format!("GenerateDataKey: kms:GenerateDataKey on {arn}"));
    let decrypt = Sent::json("kms", "TrentService.Decrypt", r#"{"CiphertextBlob":"AA=="}"#);
    assert_eq!(line(&decrypt), "Decrypt: kms:Decrypt on unstated");
}

#[test]
fn a_publication_needs_its_topic() {
    let arn = "arn:aws:sns:eu-central-1:111122223333:alerts";
    let body = "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A111122223333%3Aalerts";
    assert_eq!(line(&Sent::form("sns", body)), format!("Publish: sns:Publish on {arn}"));
    let body = "Action=PublishBatch&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A111122223333%3Aalerts";
    assert_eq!(line(&Sent::form("sns", body)), format!("PublishBatch: sns:Publish on {arn}"));
    assert_eq!(line(&Sent::form("sns", "Action=Publish&PhoneNumber=%2B1")), "Publish: sns:Publish on *");
}

#[test]
fn asking_who_one_is_needs_no_permission() {
    let body = "Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(line(&Sent::form("sts", body)), "GetCallerIdentity: ");
}

#[test]
fn s3_operations_are_told_by_method_path_and_query() {
    let key = "arn:aws:s3:::b/a/k.json";
    let cases = [
        ("GET", "/b/a/k.json?x-id=GetObject", "GetObject", "GetObject", key),
        ("GET", "/b/a/k.json?versionId=7", "GetObject", "GetObjectVersion", key),
        ("HEAD", "/b/a/k.json", "HeadObject", "GetObject", key),
        ("PUT", "/b/a/k.json?x-id=PutObject", "PutObject", "PutObject", key),
        ("DELETE", "/b/a/k.json?x-id=DeleteObject", "DeleteObject", "DeleteObject", key),
        ("POST", "/b/a/k.json?uploads", "CreateMultipartUpload", "PutObject", key),
        ("PUT", "/b/a/k.json?partNumber=1&uploadId=u&x-id=UploadPart", "UploadPart", "PutObject", key),
        ("POST", "/b/a/k.json?uploadId=u", "CompleteMultipartUpload", "PutObject", key),
        ("DELETE", "/b/a/k.json?uploadId=u", "AbortMultipartUpload", "AbortMultipartUpload", key),
        ("GET", "/b/a/k.json?uploadId=u", "ListParts", "ListMultipartUploadParts", key),
        ("GET", "/b?list-type=2&prefix=a%2F", "ListObjectsV2", "ListBucket", "arn:aws:s3:::b"),
        ("GET", "/b/?list-type=2", "ListObjectsV2", "ListBucket", "arn:aws:s3:::b"),
        ("GET", "/b?versions", "ListObjectVersions", "ListBucketVersions", "arn:aws:s3:::b"),
        ("HEAD", "/b", "HeadBucket", "ListBucket", "arn:aws:s3:::b"),
        ("PUT", "/b", "CreateBucket", "CreateBucket", "arn:aws:s3:::b"),
        ("GET", "/", "ListBuckets", "ListAllMyBuckets", "*"),
    ];
    for (method, uri, operation, action, arn) in cases {
        assert_eq!(line(&Sent::new("s3", method, uri)), format!("{operation}: s3:{action} on {arn}"), "{method} {uri}");
    }
}

#[test]
fn a_key_is_decoded_and_keeps_its_empty_parts() {
    let sent = Sent::new("s3", "PUT", "/b/device/th%C3%ADng//1");
    assert_eq!(line(&sent), "PutObject: s3:PutObject on arn:aws:s3:::b/device/thíng//1");
}

#[test]
fn a_copy_reads_its_source_as_well() {
    let sent = Sent::new("s3", "PUT", "/to/k?x-id=CopyObject").with("x-amz-copy-source", "from/a%20b");
    let expected = "CopyObject: s3:PutObject on arn:aws:s3:::to/k, s3:GetObject on arn:aws:s3:::from/a b";
    assert_eq!(line(&sent), expected);
}

#[test]
fn deleting_objects_needs_each_key_and_another_action_for_a_version() {
    let body =
        "<Delete><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key><VersionId>1</VersionId></Object></Delete>";
    let sent = Sent { body, ..Sent::new("s3", "POST", "/b?delete") };
    let expected = "DeleteObjects: s3:DeleteObject on arn:aws:s3:::b/a&b, s3:DeleteObjectVersion on arn:aws:s3:::b/c";
    assert_eq!(line(&sent), expected);
}

#[test]
fn an_unknown_part_of_s3_is_not_taken_for_a_plain_one() {
    assert_eq!(line(&Sent::new("s3", "GET", "/b?policy")), "unknown s3 GET /b?policy: ");
    assert_eq!(line(&Sent::new("s3", "PUT", "/b/k?acl")), "unknown s3 PUT /b/k?acl: ");
}

#[test]
fn a_presigned_url_is_read_from_its_query_and_its_signature_is_not_kept() {
    let uri = "/b/k?X-Amz-Credential=AKID%2F20261121%2Feu-central-1%2Fs3%2Faws4_request&X-Amz-Signature=beef";
    let call = Call::parse(&Method::GET, &uri.parse().unwrap(), &HeaderMap::new(), Bytes::new());
    assert_eq!(call.operation.name(), "GetObject");
    assert_eq!(call.caller.access_key.as_deref(), Some("AKID"));
    assert_eq!(call.path, "/b/k");
}

#[test]
fn iot_operations_are_told_by_method_and_path_under_either_signing_name() {
    let cases = [
        ("GET", "/things/bed-1/shadow", "GetThingShadow", "thing/bed-1"),
        ("POST", "/things/bed-1/shadow", "UpdateThingShadow", "thing/bed-1"),
        ("DELETE", "/things/bed-1/shadow?name=fw", "DeleteThingShadow", "thing/bed-1/fw"),
        ("POST", "/topics/loam%2Fbed-1%2Fdescribe?qos=1", "Publish", "topic/loam/bed-1/describe"),
        ("GET", "/connections/bed-1", "GetConnection", "client/bed-1"),
        ("DELETE", "/connections/bed-1?cleanSession=true", "DeleteConnection", "client/bed-1"),
        ("POST", "/connections/bed-1/messages?topic=t", "SendDirectMessage", "client/bed-1"),
    ];
    for (method, uri, operation, resource) in cases {
        let expected = format!("{operation}: iot:{operation} on arn:aws:iot:eu-central-1:111122223333:{resource}");
        assert_eq!(line(&Sent::new("iotdevicegateway", method, uri)), expected);
        assert_eq!(line(&Sent::new("iotdata", method, uri)), expected);
    }
}

#[test]
fn what_concerns_a_job_concerns_its_thing_too() {
    let arn = |resource: &str| format!("arn:aws:iot:eu-central-1:111122223333:{resource}");
    let both = |operation: &str| {
        let [job, thing] = ["job/j1", "thing/bed-1"].map(arn);
        format!("{operation}: iot:{operation} on {job}, iot:{operation} on {thing}")
    };
    let body = r#"{"targets":["arn:aws:iot:eu-central-1:111122223333:thing/bed-1"],"document":"{}"}"#;
    assert_eq!(line(&Sent { body, ..Sent::new("iot", "PUT", "/jobs/j1") }), both("CreateJob"));
    let describe = Sent::new("iot", "GET", "/things/bed-1/jobs/j1");
    assert_eq!(line(&describe), both("DescribeJobExecution"));
    let cancel = Sent::new("iot", "PUT", "/things/bed-1/jobs/j1/cancel?force=true");
    assert_eq!(line(&cancel), both("CancelJobExecution"));
}

#[test]
fn operations_of_the_registry_are_told_by_method_and_path() {
    let cases = [
        ("POST", "/things/bed-1", "CreateThing", "thing/bed-1"),
        ("GET", "/things/bed-1", "DescribeThing", "thing/bed-1"),
        ("PATCH", "/things/bed-1", "UpdateThing", "thing/bed-1"),
        ("DELETE", "/things/bed-1?expectedVersion=1", "DeleteThing", "thing/bed-1"),
        ("GET", "/certificates/beef", "DescribeCertificate", "cert/beef"),
        ("PUT", "/certificates/beef?newStatus=ACTIVE", "UpdateCertificate", "cert/beef"),
        ("DELETE", "/certificates/beef", "DeleteCertificate", "cert/beef"),
        ("GET", "/cacertificate/cafe", "DescribeCACertificate", "cacert/cafe"),
    ];
    for (method, uri, operation, resource) in cases {
        let expected = format!("{operation}: iot:{operation} on arn:aws:iot:eu-central-1:111122223333:{resource}");
        assert_eq!(line(&Sent::new("iot", method, uri)), expected);
    }
}

#[test]
fn a_policy_is_attached_to_its_target_and_a_principal_needs_certificate_and_thing() {
    let arn = "arn:aws:iot:eu-central-1:111122223333:cert/beef";
    let body = r#"{"target":"arn:aws:iot:eu-central-1:111122223333:cert/beef"}"#;
    let attach = Sent { body, ..Sent::new("iot", "PUT", "/target-policies/device") };
    assert_eq!(line(&attach), format!("AttachPolicy: iot:AttachPolicy on {arn}"));
    let detach = Sent { body, ..Sent::new("iot", "POST", "/target-policies/device") };
    assert_eq!(line(&detach), format!("DetachPolicy: iot:DetachPolicy on {arn}"));
    let thing = "arn:aws:iot:eu-central-1:111122223333:thing/bed-1";
    let principal = Sent::new("iot", "PUT", "/things/bed-1/principals?thingPrincipalType=EXCLUSIVE_THING");
    let action = "iot:AttachThingPrincipal on";
    let expected = format!("AttachThingPrincipal: {action} {arn}, {action} {thing}");
    assert_eq!(line(&principal.with("x-amzn-principal", arn)), expected);
    let body = r#"{"thingGroupName":"garden","thingName":"bed-1"}"#;
    let join = Sent { body, ..Sent::new("iot", "PUT", "/thing-groups/addThingToThingGroup") };
    let group = "arn:aws:iot:eu-central-1:111122223333:thinggroup/garden";
    let action = "iot:AddThingToThingGroup on";
    assert_eq!(line(&join), format!("AddThingToThingGroup: {action} {group}, {action} {thing}"));
}

#[test]
fn invoking_a_function_needs_the_function() {
    let sent = Sent::new("lambda", "POST", "/2015-03-31/functions/notify/invocations");
    let arn = "arn:aws:lambda:eu-central-1:111122223333:function:notify";
    assert_eq!(line(&sent), format!("Invoke: lambda:InvokeFunction on {arn}"));
}

#[test]
fn what_is_not_understood_says_what_was_seen() {
    assert_eq!(line(&Sent::new("iot", "GET", "/things")), "unknown iot GET /things: ");
    assert_eq!(line(&Sent::new("sqs", "POST", "/")), "unknown sqs without X-Amz-Target: /: ");
    let unsigned = Call::parse(&Method::GET, &Uri::from_static("/health"), &HeaderMap::new(), Bytes::new());
    assert_eq!(unsigned.operation, Operation::Unknown("unsigned GET /health".into()));
}

#[test]
fn the_debug_form_does_not_show_the_body() {
    let sent = Sent::json("sqs", "AmazonSQS.SendMessage", r#"{"QueueUrl":"http://h/1/q","MessageBody":"a secret"}"#);
    assert!(!format!("{:?}", sent.call()).contains("secret"));
}
