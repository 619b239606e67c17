//! One request to AWS, understood: service, operation, who made it, and the permissions it needs.

mod iot;
mod json;
mod query;
mod request;
mod resource;
mod rest;
mod s3;

use std::fmt;

use bytes::Bytes;
use hyper::{HeaderMap, Method, Uri};

use request::{Request, Scope};
pub use resource::{Account, Resource};

/// An AWS service that the wiretap can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// Amazon DynamoDB (AWS JSON 1.0).
    DynamoDb,
    /// AWS IoT control plane (REST, JSON errors).
    Iot,
    /// AWS IoT data plane (REST, JSON errors).
    IotData,
    /// Amazon Kinesis Data Streams (AWS JSON 1.1).
    Kinesis,
    /// AWS Key Management Service (AWS JSON 1.1).
    Kms,
    /// AWS Lambda (REST, JSON errors).
    Lambda,
    /// Amazon S3 (REST, XML errors). Only path-style addresses are understood.
    S3,
    /// Amazon SNS (query protocol, XML errors).
    Sns,
    /// Amazon SQS (AWS JSON 1.0).
    Sqs,
    /// AWS STS (query protocol, XML errors).
    Sts,
    /// Any other service, by its signing name; empty for an unsigned request.
    Unknown(String),
}

impl Service {
    /// The service of a credential scope's signing name.
    ///
    /// The IoT data plane is signed as `iotdevicegateway` today and was signed as `iotdata` before; its IAM actions
    /// start with `iot:`.
    #[must_use]
    pub fn from_signing_name(name: &str) -> Self {
        match name {
            "dynamodb" => Self::DynamoDb,
            "iot" => Self::Iot,
            "iotdata" | "iotdevicegateway" => Self::IotData,
            "kinesis" => Self::Kinesis,
            "kms" => Self::Kms,
            "lambda" => Self::Lambda,
            "s3" => Self::S3,
            "sns" => Self::Sns,
            "sqs" => Self::Sqs,
            "sts" => Self::Sts,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// The prefix of the service's IAM actions and ARNs (`dynamodb` in `dynamodb:PutItem`).
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::Iot | Self::IotData => "iot",
            Self::Kinesis => "kinesis",
            Self::Kms => "kms",
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
            Self::Unknown(name) => name,
        }
    }
}

/// The operation of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The name that the service's API reference gives it, e.g. `PutItem`.
    Known(String),
    /// Not understood; the text says what was seen. A test that records one fails: its permissions are not known.
    Unknown(String),
}

impl Operation {
    /// The operation's name, or the text that stands for an unknown one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(name) | Self::Unknown(name) => name,
        }
    }
}

/// One permission that a call needs: an IAM action on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The IAM action, e.g. `dynamodb:PutItem`, as the Service Authorization Reference spells it.
    pub action: String,
    /// What it acts on.
    pub resource: Resource,
}

/// Who signed a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The access key id of the signature; `None` for an unsigned request.
    pub access_key: Option<String>,
    /// The SDK's application id (`app/<name>` in the user agent), where the client set one.
    pub application: Option<String>,
}

impl Caller {
    /// Whether `name` is the caller's application id or access key id.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        [&self.application, &self.access_key].into_iter().any(|known| known.as_deref() == Some(name))
    }
}

/// One request to AWS. Its `Debug` form leaves the body out, because that may hold what no log may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// The service, from the signature's credential scope.
    pub service: Service,
    /// The operation.
    pub operation: Operation,
    /// The permissions that the call needs, in the order of its items, without repetition.
    pub needs: Vec<Need>,
    /// Who made it.
    pub caller: Caller,
    /// The SDK's id of the logical call: the same for all attempts that the SDK makes of it.
    pub invocation: Option<String>,
    /// HTTP method, upper case.
    pub method: String,
    /// Path with query, as sent. A presigned query string is left out.
    pub path: String,
    /// The body as sent.
    pub body: Bytes,
}

impl Call {
    /// Reads a request. Never fails: what is not understood becomes [`Operation::Unknown`].
    #[must_use]
    pub fn parse(method: &Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Self {
        let request = Request { method, uri, headers, body: &body };
        let scope = Scope::read(&request);
        let service = Service::from_signing_name(&scope.service);
        let Reading { operation, mut needs } = read(&service, &request);
        let mut seen = Vec::new();
        needs.retain(|need| {
            !seen.contains(need) && {
                seen.push(need.clone());
                true
            }
        });
        Self {
            service,
            operation,
            needs,
            caller: Caller { access_key: scope.access_key, application: request.application() },
            invocation: request.header("amz-sdk-invocation-id").map(str::to_owned),
            method: method.to_string(),
            path: request.safe_path(),
            body,
        }
    }

    /// The distinct resources of the call, in the order of [`Call::needs`].
    #[must_use]
    pub fn resources(&self) -> Vec<&Resource> {
        let mut distinct = Vec::new();
        for need in &self.needs {
            if !distinct.contains(&&need.resource) {
                distinct.push(&need.resource);
            }
        }
        distinct
    }
}

impl fmt::Display for Call {
    /// `dynamodb PutItem table/readings`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service.prefix(), self.operation.name())?;
        self.resources().into_iter().try_for_each(|resource| write!(f, " {resource}"))
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("call", &format_args!("{self}"))
            .field("needs", &self.needs)
            .field("caller", &self.caller)
            .field("http", &format_args!("{} {}, {} bytes", self.method, self.path, self.body.len()))
            .finish()
    }
}

/// What a protocol's reader makes of a request.
struct Reading {
    operation: Operation,
    needs: Vec<Need>,
}

impl Reading {
    fn known(operation: &str, needs: Vec<Need>) -> Self {
        Self { operation: Operation::Known(operation.to_owned()), needs }
    }

    /// An operation whose IAM action has its own name, on one resource.
    fn plain(service: &Service, operation: &str, resource: Resource) -> Self {
        Self::known(operation, vec![need(service, operation, resource)])
    }

    fn unknown(what: impl Into<String>) -> Self {
        Self { operation: Operation::Unknown(what.into()), needs: Vec::new() }
    }
}

fn need(service: &Service, action: &str, resource: Resource) -> Need {
    Need { action: format!("{}:{action}", service.prefix()), resource }
}

fn read(service: &Service, request: &Request<'_>) -> Reading {
    match service {
        Service::DynamoDb | Service::Kinesis | Service::Kms | Service::Sqs => json::read(service, request),
        Service::Sns | Service::Sts => query::read(service, request),
        Service::Iot => iot::read(request),
        Service::IotData | Service::Lambda => rest::read(service, request),
        Service::S3 => s3::read(request),
        Service::Unknown(name) => {
            let signed = if name.is_empty() { "unsigned" } else { name };
            Reading::unknown(format!("{signed} {} {}", request.method, request.safe_path()))
        }
    }
}

#[cfg(test)]
mod tests;
