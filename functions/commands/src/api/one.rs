//! One command, by its id alone.

use axum::Json;
use axum::extract::State;
use loam_access::Role;
use loam_domain::Timestamp;
use loam_http::{Call, Caller, NoParams, Params, Problem, Segments};
use serde::Deserialize;
use utoipa::IntoParams;

use super::Api;
use super::commands::is_theirs;
use super::views::CommandView;
use crate::command::{Command, Intent, Outcome, Why};
use crate::command_id::CommandId;
use crate::keeper::Kept;

/// The command of a path.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct CommandPath {
    /// The command's id: 32 hexadecimal digits.
    #[param(pattern = "^[0-9a-f]{32}$", max_length = 32)]
    pub(super) id: String,
}

/// A command, and where it stands.
#[utoipa::path(get, path = "/v1/commands/{id}", params(CommandPath),
    responses((status = 200, description = "The command.", body = CommandView), Problem))]
pub(super) async fn show(
    State(api): State<Api>,
    Call { now, .. }: Call,
    caller: Caller,
    Segments(path): Segments<CommandPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<CommandView>, Problem> {
    let command = api.command(&caller, &path).await?;
    Ok(Json(CommandView::whole(command, now)))
}

/// Takes a command back that the device does not have yet, as far as is known: it is not sent any more. Again it changes
/// nothing. If it was sent and not acknowledged, it `mayHaveRun`.
#[utoipa::path(delete, path = "/v1/commands/{id}", params(CommandPath),
    responses((status = 200, description = "The command, cancelled.", body = CommandView), Problem))]
pub(super) async fn cancel(
    State(api): State<Api>,
    Call { now, .. }: Call,
    caller: Caller,
    Segments(path): Segments<CommandPath>,
    Params(NoParams {}): Params<NoParams>,
) -> Result<Json<CommandView>, Problem> {
    let command = api.command(&caller, &path).await?;
    let kept = api.store.apply(&command.thing, &command.id, &Intent::Cancel, now).await?;
    cancelled(kept, now).map(Json)
}

fn cancelled(kept: Kept, now: Timestamp) -> Result<CommandView, Problem> {
    match kept {
        Kept::Done(command) | Kept::Nothing(Outcome::Already, command) => Ok(CommandView::whole(*command, now)),
        Kept::Nothing(Outcome::Refused(Why::Delivered), _) => {
            Err(Problem::conflict("command-delivered", "the device has it already; it cannot be taken back"))
        }
        Kept::Nothing(Outcome::Refused(_), command) => {
            let detail = format!("the command is over: {}", command.state(now).as_str());
            Err(Problem::conflict("command-over", detail))
        }
        Kept::Missing => Err(no_such_command()),
    }
}

/// 404, the same for every command that the caller may not know of.
pub(super) fn no_such_command() -> Problem {
    Problem::not_found("no-such-command", "there is no such command, or none that is still remembered")
}

impl Api {
    /// The command of a path, for who controls its thing.
    async fn command(&self, caller: &Caller, path: &CommandPath) -> Result<Command, Problem> {
        let id = CommandId::parse(&path.id).map_err(|_| no_such_command())?;
        let thing = self.store.thing_of(&id).await?.ok_or_else(no_such_command)?;
        let grant = self.access.of(caller, &thing).await?.ok_or_else(no_such_command)?;
        let command = self.store.command(&thing, &id).await?.filter(|command| is_theirs(&grant, command));
        let command = command.ok_or_else(no_such_command)?;
        grant.require(Role::Controller)?;
        Ok(command)
    }
}
