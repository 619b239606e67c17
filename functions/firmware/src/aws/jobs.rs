//! Orders as jobs of AWS IoT: one for each attempt of a rollout on a thing.

use aws_config::SdkConfig;
use aws_sdk_iot::types::{
    AbortAction, AbortConfig, AbortCriteria, JobExecutionFailureType, JobExecutionStatus, PresignedUrlConfig,
    TargetSelection, TimeoutConfig,
};
use loam_domain::Timestamp;

use super::images::image_key;
use super::shadows::{Ordered, TakenBack};
use crate::FirmwareFailure;
use crate::error::Asked;
use crate::execution::{Execution, Intent, Phase, Said, Verdict};
use crate::order::{Signed, Source, URL_SECONDS, job_document, job_id};
use crate::rollout::Rollout;

/// How long AWS IoT may take to bring a job to its thing, in milliseconds: no figure is documented but "a short time".
const ROLLED_OUT_WITHIN_MILLIS: i64 = 300_000;

/// AWS IoT's jobs.
#[derive(Debug, Clone)]
pub(crate) struct Jobs {
    client: aws_sdk_iot::Client,
    bucket: String,
    /// The role by which AWS IoT signs URLs.
    url_role: String,
    account: Account,
}

/// Where things are: partition, region and account, as ARNs have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Account {
    partition: String,
    region: String,
    id: String,
}

impl Jobs {
    /// `key` is the ARN of the key of this stack, in the account and region of its things.
    pub(crate) fn new(sdk: &SdkConfig, bucket: String, url_role: String, key: &str) -> Self {
        Self { client: aws_sdk_iot::Client::new(sdk), bucket, url_role, account: Account::of(key) }
    }

    /// Creates the job of this attempt; one that is there is the same.
    /// Source: <https://docs.aws.amazon.com/iot/latest/apireference/API_CreateJob.html>.
    pub(crate) async fn create(
        &self,
        rollout: &Rollout,
        execution: &Execution,
        signed: &Signed,
    ) -> Result<Ordered, FirmwareFailure> {
        let key = image_key(&rollout.firmware.sha256);
        let (region, suffix) = (&self.account.region, self.account.suffix());
        let source = Source { region, suffix, bucket: &self.bucket, key: &key };
        let minutes = i64::from(rollout.definition.progress_minutes);
        let timeout = TimeoutConfig::builder().in_progress_timeout_in_minutes(minutes).build();
        let url = PresignedUrlConfig::builder().role_arn(&self.url_role).expires_in_sec(URL_SECONDS).build();
        let request = self.client.create_job().job_id(job_id(execution)).targets(self.account.thing(execution));
        let request = request.target_selection(TargetSelection::Snapshot).timeout_config(timeout);
        let request = request.presigned_url_config(url).abort_config(aborts()?);
        let answer = request.document(job_document(execution, signed, &source).to_string()).send().await;
        let Err(error) = answer else { return Ok(Ordered::Yes) };
        match error.as_service_error() {
            Some(error) if error.is_resource_already_exists_exception() => Ok(Ordered::Yes),
            Some(error) if error.is_resource_not_found_exception() => Ok(Ordered::Refused),
            _ => Err(FirmwareFailure::service(Asked::Job, error)),
        }
    }

    /// Cancels the job of this attempt on its thing, also if the device has begun; what has come to its end stays so. What is
    /// not there although it was ordered a moment ago may still come: AWS IoT rolls a job out after it answered.
    /// Sources: <https://docs.aws.amazon.com/iot/latest/apireference/API_CancelJobExecution.html>,
    /// <https://docs.aws.amazon.com/iot/latest/developerguide/iot-jobs-lifecycle.html>.
    pub(crate) async fn cancel(&self, execution: &Execution, now: Timestamp) -> Result<TakenBack, FirmwareFailure> {
        let request = self.client.cancel_job_execution().job_id(job_id(execution));
        let answer = request.thing_name(execution.thing.as_str()).force(true).send().await;
        let Err(error) = answer else { return Ok(TakenBack::Gone) };
        match error.as_service_error() {
            Some(error) if error.is_invalid_state_transition_exception() => Ok(TakenBack::Gone),
            Some(error) if error.is_resource_not_found_exception() => {
                Ok(if may_be_rolled_out(execution, now) { TakenBack::Later } else { TakenBack::Gone })
            }
            Some(error) if error.is_version_conflict_exception() => Ok(TakenBack::Later),
            _ => Err(FirmwareFailure::service(Asked::Job, error)),
        }
    }

    /// What the job says of this attempt.
    pub(crate) async fn heard(&self, execution: &Execution) -> Result<Option<Intent>, FirmwareFailure> {
        let request = self.client.describe_job_execution().job_id(job_id(execution));
        let answer = match request.thing_name(execution.thing.as_str()).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => return Err(FirmwareFailure::service(Asked::Job, error)),
        };
        let found = answer.execution.as_ref();
        let at = found.and_then(|found| found.last_updated_at()).and_then(|at| at.to_millis().ok());
        Ok(found.and_then(|found| found.status()).and_then(|status| intent(status, Timestamp::from_millis(at?))))
    }
}

/// Whether the job of this attempt may be there and not have come to its thing yet.
fn may_be_rolled_out(execution: &Execution, now: Timestamp) -> bool {
    let ordered_at = execution.notified_at.max(execution.claimed_at);
    ordered_at.is_some_and(|at| now.millis_since(at) < ROLLED_OUT_WITHIN_MILLIS)
}

/// What a job's status says of a thing. What it runs, it reports.
fn intent(status: &JobExecutionStatus, at: Timestamp) -> Option<Intent> {
    let said = |verdict| Some(Intent::Hear(Said { at, verdict, code: None }));
    if *status == JobExecutionStatus::Failed {
        return said(Verdict::Failed);
    }
    if *status == JobExecutionStatus::Rejected {
        return said(Verdict::Rejected);
    }
    if *status == JobExecutionStatus::Succeeded {
        return Some(Intent::Progress(Phase::Installing, at));
    }
    (*status == JobExecutionStatus::InProgress).then_some(Intent::Progress(Phase::Downloading, at))
}

/// A job whose only thing failed is over.
fn aborts() -> Result<AbortConfig, FirmwareFailure> {
    let kinds = [JobExecutionFailureType::Failed, JobExecutionFailureType::Rejected, JobExecutionFailureType::TimedOut];
    let mut config = AbortConfig::builder();
    for kind in kinds {
        let criteria = AbortCriteria::builder().failure_type(kind).action(AbortAction::Cancel);
        config = config.criteria_list(criteria.threshold_percentage(100.0).min_number_of_executed_things(1).build()?);
    }
    Ok(config.build()?)
}

impl Account {
    /// That of an ARN; of what is none, nothing.
    fn of(arn: &str) -> Self {
        let mut parts = arn.split(':').skip(1).map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let (partition, _service) = (part(), part());
        Self { partition, region: part(), id: part() }
    }

    /// What the names of endpoints end with.
    /// Source: <https://docs.amazonaws.cn/en_us/general/latest/gr/rande.html>.
    fn suffix(&self) -> &'static str {
        if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    fn thing(&self, execution: &Execution) -> String {
        let Self { partition, region, id } = self;
        format!("arn:{partition}:iot:{region}:{id}:thing/{}", execution.thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Execution;
    use crate::execution::tests::{at, execution};

    #[test]
    fn a_job_that_is_not_there_yet_may_come_for_five_minutes_after_it_was_ordered() {
        let ordered = |claimed_at, notified_at| Execution { claimed_at, notified_at, ..execution() };
        let first = ordered(Some(at(0)), None);
        let again = ordered(Some(at(0)), Some(at(60_000)));
        assert!(may_be_rolled_out(&first, at(299_999)) && !may_be_rolled_out(&first, at(300_000)));
        assert!(may_be_rolled_out(&again, at(359_999)) && !may_be_rolled_out(&again, at(360_000)));
        assert!(!may_be_rolled_out(&ordered(None, None), at(0)), "it was never ordered");
    }

    #[test]
    fn a_thing_is_in_the_account_and_region_of_the_stacks_key() {
        let account = Account::of("arn:aws-cn:kms:cn-north-1:123456789012:key/1234");
        assert_eq!(account.thing(&execution()), "arn:aws-cn:iot:cn-north-1:123456789012:thing/t1");
        assert_eq!(Account::of("x"), Account::default());
        let elsewhere = Account::of("arn:aws:kms:eu-central-1:123456789012:key/1234");
        assert_eq!([account.suffix(), elsewhere.suffix()], ["amazonaws.com.cn", "amazonaws.com"]);
    }

    #[test]
    fn a_job_that_succeeded_is_no_success() {
        let said = |status| intent(&status, at(5));
        assert_eq!(said(JobExecutionStatus::Succeeded), Some(Intent::Progress(Phase::Installing, at(5))));
        assert_eq!(said(JobExecutionStatus::InProgress), Some(Intent::Progress(Phase::Downloading, at(5))));
        assert!(
            matches!(said(JobExecutionStatus::Rejected), Some(Intent::Hear(said)) if said.verdict == Verdict::Rejected)
        );
        assert_eq!([said(JobExecutionStatus::Queued), said(JobExecutionStatus::TimedOut)], [None, None]);
    }
}
