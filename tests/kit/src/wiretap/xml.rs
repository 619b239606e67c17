//! The little XML that AWS's protocols need here: flat elements without attributes of interest. No general parser.

/// The contents of each `<name>...</name>`, in order. Elements of one name do not nest in what AWS sends.
pub(super) fn all<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    document.split(&open).skip(1).filter_map(|rest| rest.split_once(&close)).map(|(content, _)| content).collect()
}

/// The content of the first `<name>...</name>`.
pub(super) fn first<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    all(document, name).into_iter().next()
}

/// Text with its entities resolved.
pub(super) fn text(content: &str) -> String {
    content
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// Text with the characters escaped that XML forbids in it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
