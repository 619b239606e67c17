//! Who is a target: written down once, in FirmwareBucket.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use loam_domain::ThingName;
use loam_releases::names::Id;
use loam_runtime::{Class, Failure as _};

use crate::FirmwareFailure;
use crate::error::Asked;

/// The lists of targets.
#[derive(Debug, Clone)]
pub(crate) struct Targets {
    client: Client,
    bucket: String,
}

impl Targets {
    pub(crate) fn new(sdk: &SdkConfig, bucket: String) -> Self {
        Self { client: Client::new(sdk), bucket }
    }

    /// The targets of a rollout, wave by wave; `None` before they are written down.
    pub(crate) async fn get(&self, rollout: &Id) -> Result<Option<Vec<Vec<ThingName>>>, FirmwareFailure> {
        let answer = self.client.get_object().bucket(&self.bucket).key(key(rollout)).send().await;
        let answer = match answer.map_err(|error| FirmwareFailure::object(Asked::ReadObject, error)) {
            Ok(answer) => answer,
            Err(failure) if failure.class() == Class::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let bytes = answer.body.collect().await.map_err(|_| FirmwareFailure::Cut)?.into_bytes();
        let text = std::str::from_utf8(&bytes).map_err(|_| FirmwareFailure::BadObject("targets"))?;
        read(text).map(Some).ok_or(FirmwareFailure::BadObject("targets"))
    }

    /// Writes the targets down, unless somebody did: the first decides.
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html> (412 for one that is there, 409
    /// for one that is being written).
    pub(crate) async fn put_first(&self, rollout: &Id, waves: &[Vec<ThingName>]) -> Result<(), FirmwareFailure> {
        let request = self.client.put_object().bucket(&self.bucket).key(key(rollout)).if_none_match("*");
        let request = request.content_type("text/plain").body(ByteStream::from(written(waves).into_bytes()));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("PreconditionFailed") => Ok(()),
            Err(error) => Err(FirmwareFailure::object(Asked::WriteObject, error)),
        }
    }
}

fn key(rollout: &Id) -> String {
    format!("rollouts/{rollout}/targets")
}

/// One name a line, each wave ended by an empty line.
fn written(waves: &[Vec<ThingName>]) -> String {
    let mut text = String::new();
    for wave in waves {
        for thing in wave {
            text.push_str(thing.as_str());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

fn read(text: &str) -> Option<Vec<Vec<ThingName>>> {
    let (mut waves, mut wave) = (vec![], vec![]);
    for line in text.lines() {
        if line.is_empty() {
            waves.push(std::mem::take(&mut wave));
        } else {
            wave.push(ThingName::parse(line).ok()?);
        }
    }
    // Cut short: the last wave lacks its end.
    wave.is_empty().then_some(waves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_survive_their_list_even_empty_ones_and_a_list_that_is_cut_is_none() {
        let things = |names: &[&str]| names.iter().map(|name| ThingName::parse(name).unwrap()).collect::<Vec<_>>();
        let waves = vec![things(&["t1"]), vec![], things(&["t3", "t2"]), vec![]];
        let text = written(&waves);
        assert_eq!(read(&text), Some(waves));
        assert_eq!(read(""), Some(vec![]));
        assert_eq!(read("t1\n\nt2\n"), None);
        assert_eq!(read("a/b\n\n"), None);
    }
}
