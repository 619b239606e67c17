//! The function's own program, as Lambda runs it: `GET /invoke`, event in, answer out.

use std::time::Duration;

use loam_kit::{ExecutionEnvironment, Stack, api_event};
use serde_json::Value;

use crate::row::{Row, in_turn};
use crate::{CALLS, DEVICES};

/// So many new environments are started one after the other.
const STARTS: usize = 20;

pub(crate) struct Environments<'a> {
    pub(crate) stack: &'a Stack,
    pub(crate) names: &'a [String],
}

impl Environments<'_> {
    async fn new_one(&self) -> ExecutionEnvironment {
        let program = std::env::current_exe().unwrap().with_file_name("sync-invoke");
        let function = self.stack.function("SyncInvoke");
        ExecutionEnvironment::start(self.stack, function, &program, &self.stack.endpoint).await
    }

    async fn call(&self, environment: &mut ExecutionEnvironment, number: usize) -> bool {
        let thing = self.names.get(number % DEVICES).unwrap();
        let answer = invoke(environment, thing, number).await;
        answer.contains(&format!(r#""response": "{number}"}}"#)) && answer.contains(r#"{"result": "ok""#)
    }

    /// New environments: their start, and their first call, which opens the session.
    pub(crate) async fn start(&self) {
        let (mut init, mut resident) = (Vec::new(), 0);
        let row = in_turn(STARTS, async |_| {
            let environment = self.new_one().await;
            environment.idle().await;
            init.push(environment.cpu());
            true
        });
        row.await.print("a new environment: from its start to its first question for events");
        let mut total = Duration::ZERO;
        let mut rows = Vec::new();
        for number in 0..STARTS {
            let mut environment = self.new_one().await;
            environment.idle().await;
            let before = environment.cpu();
            rows.push(in_turn(1, async |_| self.call(&mut environment, number).await).await);
            total += environment.cpu() - before;
            resident = environment.resident_kib();
        }
        let took = rows.iter().map(|row| row.took).sum();
        let first = Row { cpu: total, took, resident_kib: Some(resident), ..Row::of_all(rows) };
        init.sort_unstable();
        let median = init.get(STARTS / 2).copied().unwrap_or_default();
        first.print("its first call: connect, subscribe, call");
        println!("| CPU of an environment's start: median {median:.2?} of {STARTS} | | | | | | | |");
    }

    /// So many environments at once, each with its own session, each called again as soon as it answered.
    pub(crate) async fn called_by(&self, callers: usize) {
        let mut environments = Vec::new();
        for number in 0..callers {
            let mut environment = self.new_one().await;
            assert!(self.call(&mut environment, number).await, "a warm-up is right");
            environments.push(environment);
        }
        let runs = environments.into_iter().enumerate().map(|(at, mut environment)| async move {
            let before = environment.cpu();
            let row = in_turn(CALLS / callers, async |number| self.call(&mut environment, at + number).await).await;
            Row { cpu: environment.cpu() - before, resident_kib: Some(environment.resident_kib()), ..row }
        });
        let row = Row::of_all(futures_util::future::join_all(runs).await);
        row.print(&format!("**direct, session kept: {callers} callers, {callers} environments**"));
    }

    /// A device that is not connected: the time to its answer.
    pub(crate) async fn absent(&self) {
        let mut environment = self.new_one().await;
        assert!(self.call(&mut environment, 0).await, "a warm-up is right");
        let before = environment.cpu();
        let row = in_turn(CALLS / 4, async |number| {
            invoke(&mut environment, "bench-nobody", number).await.contains(r#"{"result": "timeout""#)
        });
        let row = row.await;
        let (cpu, resident_kib) = (environment.cpu() - before, Some(environment.resident_kib()));
        Row { cpu, resident_kib, ..row }.print("absent device: time to its answer, of 10 s asked");
    }
}

/// The body of what the environment answers.
async fn invoke(environment: &mut ExecutionEnvironment, thing: &str, number: usize) -> String {
    let query = format!("/invoke?method=echo&request={number}&target={thing}&timeout=10");
    let answer = environment.invoke(&api_event("GET /invoke", &query, "", &[], None)).await;
    answer.get("body").and_then(Value::as_str).unwrap_or_default().to_owned()
}
