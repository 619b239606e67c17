//! Amazon S3: method, path (`/bucket/key`) and query make the operation.
//!
//! Operations: Amazon S3 API Reference. Actions: Amazon S3 User Guide, "Required permissions for Amazon S3 API
//! operations", and Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".

use percent_encoding::percent_decode_str;

use super::request::Request;
use super::{Need, Reading, Resource, Service, need};
use crate::wiretap::xml;

/// Query parameters that select another operation on the same path.
const SUBRESOURCES: [&str; 20] = [
    "acl",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "notification",
    "partNumber",
    "policy",
    "restore",
    "retention",
    "select",
    "tagging",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
];

pub(super) fn read(request: &Request<'_>) -> Reading {
    let segments = request.segments();
    let (bucket, key) = match segments.split_first() {
        Some((bucket, key)) => (bucket.clone(), key.join("/")),
        None => (String::new(), String::new()),
    };
    let sub = SUBRESOURCES.into_iter().find(|name| request.query(name).is_some()).unwrap_or_default();
    let known = if bucket.is_empty() {
        service(request)
    } else if key.is_empty() {
        on_bucket(request, &bucket, sub)
    } else {
        on_object(request, &bucket, &key, sub)
    };
    known.unwrap_or_else(|| Reading::unknown(format!("s3 {} {}", request.method, request.safe_path())))
}

fn service(request: &Request<'_>) -> Option<Reading> {
    let all = need(&Service::S3, "ListAllMyBuckets", Resource::Everything);
    (request.method.as_str() == "GET").then(|| Reading::known("ListBuckets", vec![all]))
}

fn on_bucket(request: &Request<'_>, bucket: &str, sub: &str) -> Option<Reading> {
    let (operation, action) = match (request.method.as_str(), sub) {
        ("GET", "list-type") => ("ListObjectsV2", "ListBucket"),
        ("GET", "") => ("ListObjects", "ListBucket"),
        ("GET", "versions") => ("ListObjectVersions", "ListBucketVersions"),
        ("GET", "uploads") => ("ListMultipartUploads", "ListBucketMultipartUploads"),
        ("GET", "location") => ("GetBucketLocation", "GetBucketLocation"),
        ("GET", "versioning") => ("GetBucketVersioning", "GetBucketVersioning"),
        ("HEAD", "") => ("HeadBucket", "ListBucket"),
        ("PUT", "") => ("CreateBucket", "CreateBucket"),
        ("PUT", "versioning") => ("PutBucketVersioning", "PutBucketVersioning"),
        ("DELETE", "") => ("DeleteBucket", "DeleteBucket"),
        ("POST", "delete") => return Some(delete_objects(request, bucket)),
        _other => return None,
    };
    Some(Reading::known(operation, vec![need(&Service::S3, action, Resource::Arn(format!("arn:aws:s3:::{bucket}")))]))
}

fn on_object(request: &Request<'_>, bucket: &str, key: &str, sub: &str) -> Option<Reading> {
    let versioned = request.query("versionId").is_some();
    let of = |plain, version| if versioned { version } else { plain };
    let (operation, action) = match (request.method.as_str(), sub) {
        ("GET", "") => ("GetObject", of("GetObject", "GetObjectVersion")),
        ("HEAD", "") => ("HeadObject", of("GetObject", "GetObjectVersion")),
        ("GET", "uploadId") => ("ListParts", "ListMultipartUploadParts"),
        ("GET", "tagging") => ("GetObjectTagging", of("GetObjectTagging", "GetObjectVersionTagging")),
        ("PUT", "tagging") => ("PutObjectTagging", of("PutObjectTagging", "PutObjectVersionTagging")),
        ("DELETE", "tagging") => ("DeleteObjectTagging", of("DeleteObjectTagging", "DeleteObjectVersionTagging")),
        ("DELETE", "") => ("DeleteObject", of("DeleteObject", "DeleteObjectVersion")),
        ("DELETE", "uploadId") => ("AbortMultipartUpload", "AbortMultipartUpload"),
        ("POST", "uploads") => ("CreateMultipartUpload", "PutObject"),
        ("POST", "uploadId") => ("CompleteMultipartUpload", "PutObject"),
        ("PUT", "" | "partNumber") => return Some(put(request, bucket, key, sub)),
        _other => return None,
    };
    Some(Reading::known(operation, vec![on(action, bucket, key)]))
}

/// An upload, or a copy, which reads its source as well. Tags in the request need their own permission.
fn put(request: &Request<'_>, bucket: &str, key: &str, sub: &str) -> Reading {
    let source = request.header("x-amz-copy-source");
    let operation = match (source.is_some(), sub) {
        (false, "") => "PutObject",
        (false, _) => "UploadPart",
        (true, "") => "CopyObject",
        (true, _) => "UploadPartCopy",
    };
    let mut needs = vec![on("PutObject", bucket, key)];
    if request.header("x-amz-tagging").is_some() {
        needs.push(on("PutObjectTagging", bucket, key));
    }
    needs.extend(source.map(copied));
    Reading::known(operation, needs)
}

/// The source of a copy: `bucket/key` or `/bucket/key`, percent-encoded, with an optional `?versionId=`.
fn copied(source: &str) -> Need {
    let decoded = percent_decode_str(source).decode_utf8_lossy().into_owned();
    let (path, action) = match decoded.split_once("?versionId=") {
        Some((path, _)) => (path, "GetObjectVersion"),
        None => (decoded.as_str(), "GetObject"),
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    need(&Service::S3, action, Resource::Arn(format!("arn:aws:s3:::{path}")))
}

/// One permission a key; a key with a version needs the other action.
fn delete_objects(request: &Request<'_>, bucket: &str) -> Reading {
    let body = String::from_utf8_lossy(request.body);
    let objects = xml::all(&body, "Object").into_iter().filter_map(|object| {
        let action = if xml::first(object, "VersionId").is_some() { "DeleteObjectVersion" } else { "DeleteObject" };
        Some(on(action, bucket, &xml::text(xml::first(object, "Key")?)))
    });
    Reading::known("DeleteObjects", objects.collect())
}

fn on(action: &str, bucket: &str, key: &str) -> Need {
    need(&Service::S3, action, Resource::Arn(format!("arn:aws:s3:::{bucket}/{key}")))
}
