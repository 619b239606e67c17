//! The documents name what is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::template::{repository, written};

fn text(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Markdown files of the repository.
fn documents() -> Vec<PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![repository()]);
    while let Some(folder) = waiting.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_ours = !name.starts_with('.') && name != "target";
            if path.is_dir() && is_ours {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

/// The targets of a document's links to other files.
fn links(document: &str) -> Vec<String> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter_map(|target| target.split('#').next());
    files.filter(|file| !file.is_empty() && !file.contains("://")).map(str::to_owned).collect()
}

/// The first cell of each row of the table below `heading`, without its quotes.
fn first_cells(document: &str, heading: &str) -> BTreeSet<String> {
    let section = document.split(&format!("\n## {heading}\n")).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    cells.map(str::to_owned).collect()
}

#[test]
fn the_readme_lists_the_templates_parameters() {
    let written = written();
    let parameters = written.get("Parameters").and_then(Value::as_object).unwrap();
    let listed = first_cells(&text("README.md"), "Parameters");
    assert_eq!(listed, parameters.keys().cloned().collect());
}

#[test]
fn every_link_to_a_file_finds_it() {
    for document in documents() {
        for link in links(&text(&document)) {
            let target = document.parent().unwrap().join(&link);
            assert!(target.exists(), "{}: {link}", document.display());
        }
    }
}

#[test]
fn every_package_stands_in_the_map() {
    let (manifest, map) = (text("Cargo.toml"), text("ARCHITECTURE.md"));
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let folders: Vec<_> = members.split('"').skip(1).step_by(2).collect();
    assert!(folders.contains(&"shared/domain"), "{folders:?}");
    for folder in folders {
        let last = folder.rsplit('/').next().unwrap();
        assert!(map.contains(&format!("{last}/")), "ARCHITECTURE.md does not name {folder}");
    }
}
