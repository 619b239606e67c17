use std::future::Future;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use axum::body::to_bytes;
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use loam_runtime::Failure as _;

use crate::attempt::{Answer, Decision, decide};
use crate::ledger::{Claim, Ledger};
use crate::{Call, Creation, HttpFailure, Problem, Repeat};

/// The largest answer that is kept, in bytes; an item of DynamoDB holds 400 KB.
const MAX_ANSWER: usize = 300 * 1024;
/// How often a row that vanishes under our hands is asked for again.
const TRIES: u32 = 3;
/// What is kept of an answer's headers.
const KEPT_HEADERS: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

/// Lets a POST that creates be repeated without creating twice.
///
/// The same key and request: the same answer for 24 hours. The same key and another request: 409
/// `idempotency-key-reused`. Two at once: one runs, the other is told 409 `in-progress`. A run that fails may run again at
/// once; a run that dies may run again when Lambda has surely ended it. So the work itself may run more than once, after a
/// crash: give its effects ids that a repeat has too.
#[derive(Debug, Clone)]
pub struct Idempotency {
    ledger: Ledger,
}

impl Idempotency {
    /// Keeps its rows in HttpTable.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: impl Into<String>) -> Self {
        Self { ledger: Ledger::new(Client::new(sdk), table.into()) }
    }

    /// Does the work, unless the caller's key says that it is done already; without a key the work is just done.
    ///
    /// Only successful answers are kept, with status, body, `Content-Type`, `ETag` and `Location`.
    ///
    /// # Errors
    /// The work's own problem; 409 as above; 5xx where the table does not answer, and then nothing was done.
    pub async fn once<R: IntoResponse>(
        &self,
        call: &Call,
        repeat: Option<&Repeat>,
        work: impl Future<Output = Result<R, Problem>>,
    ) -> Result<Response, Problem> {
        let Some(repeat) = repeat else { return Box::pin(work).await.map(IntoResponse::into_response) };
        match self.begin(call, repeat).await? {
            Some(answer) => Ok(again(answer)),
            None => Box::pin(self.run(call, repeat, work)).await,
        }
    }

    /// The stored answer, or none if the row is ours and the work is to be done.
    async fn begin(&self, call: &Call, repeat: &Repeat) -> Result<Option<Answer>, Problem> {
        for _ in 0..TRIES {
            match Box::pin(self.ledger.claim(repeat, &call.request_id, call.now, call.deadline)).await? {
                Claim::Held => return Ok(None),
                Claim::Vanished => {}
                Claim::Found(row) => match decide(row, repeat, &call.request_id, call.now) {
                    Decision::Run => return Ok(None),
                    Decision::TakeOver => {}
                    Decision::Again(answer) => return Ok(Some(answer)),
                    Decision::Refuse(problem) => return Err(problem),
                },
            }
        }
        Err(Problem::conflict(
            "in-progress",
            "others send the same Idempotency-Key at the same time; try again in a moment",
        ))
    }

    async fn run<R: IntoResponse>(
        &self,
        call: &Call,
        repeat: &Repeat,
        work: impl Future<Output = Result<R, Problem>>,
    ) -> Result<Response, Problem> {
        let response = match work.await.map(IntoResponse::into_response) {
            Ok(response) if response.status().is_success() => response,
            failed => {
                // If the row stays, it is past when Lambda has ended this run: the failure to remove it costs only time.
                note(
                    Box::pin(self.ledger.release(repeat, &call.request_id)).await,
                    "the row of a failed run stays until its time is past",
                );
                return failed;
            }
        };
        let answer = kept(response).await?;
        // The work is done, whatever becomes of the row: the caller is told so.
        let stored = Box::pin(self.ledger.finish(repeat, &call.request_id, &answer, call.now)).await;
        note(stored.map(drop), "an answer was not stored: a repeat may do the work again");
        Ok(again(answer))
    }
}

impl<T> Creation<T> {
    /// The body alone, for work that borrows nothing else of the request.
    #[must_use]
    pub fn into_parts(self) -> (T, Option<Repeat>) {
        (self.body, self.repeat)
    }
}

fn note(outcome: Result<(), HttpFailure>, consequence: &'static str) {
    if let Err(failure) = outcome {
        metrics::counter!("Failures").increment(1);
        let error = loam_runtime::diagnostic(&failure).error_message;
        tracing::error!(code = failure.code(), class = failure.class().as_str(), error, "{consequence}");
    }
}

async fn kept(response: Response) -> Result<Answer, Problem> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.map_err(HttpFailure::Unkeepable)?.to_vec();
    let header = |name: &HeaderName| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned()));
    Ok(Answer { status: parts.status.as_u16(), headers: KEPT_HEADERS.iter().filter_map(header).collect(), body })
}

fn again(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let header =
        |(name, value): (String, String)| Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?));
    let headers: HeaderMap = answer.headers.into_iter().filter_map(header).collect();
    (status, headers, answer.body).into_response()
}
