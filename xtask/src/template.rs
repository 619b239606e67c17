//! The one thing that is read from `template.yaml` here: which programs it deploys.

use crate::failure::Failure;
use crate::project::{Project, read_text};

/// Where the template looks for programs, followed by `<program>/`.
const CODE: &str = "target/lambda/";

/// The names of the function programs that the template names, sorted, each once.
pub(crate) fn programs(project: &Project) -> Result<Vec<String>, Failure> {
    let programs = programs_in(&read_text(&project.file("template.yaml"))?);
    if programs.is_empty() {
        return Err(Failure::new(
            "no-functions",
            format!("template.yaml names no program; expected lines like `CodeUri: {CODE}<program>/`."),
        ));
    }
    Ok(programs)
}

fn programs_in(template: &str) -> Vec<String> {
    let mut names: Vec<String> = template
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("CodeUri:"))
        .filter_map(|uri| uri.split_whitespace().next())
        .filter_map(|uri| uri.trim_matches(['"', '\'']).strip_prefix(CODE))
        .map(|name| name.trim_end_matches('/').to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_named_once_with_or_without_quotes_and_slash() {
        let template = "
    Properties:
      CodeUri: target/lambda/telemetry/
      CodeUri: 'target/lambda/soil-alerts'   # the classic one
      CodeUri: target/lambda/telemetry/";
        assert_eq!(programs_in(template), ["soil-alerts", "telemetry"]);
    }

    #[test]
    fn a_comment_or_another_folder_is_no_program() {
        assert!(programs_in("# CodeUri: target/lambda/a/\n  CodeUri: src/\n").is_empty());
    }
}
