//! Names of operations, from the line of a request: what is done to what kind of thing.

use hyper::{Method, Uri};

use super::Upstream;

/// The name of a call, without ids: the same for every call that does the same.
pub(super) fn name(upstream: Upstream, method: &Method, uri: &Uri) -> String {
    let path = uri.path().trim_start_matches('/');
    // The first segment is the account.
    let path = path.split_once('/').map_or("", |(_, rest)| rest);
    let query = |wanted: &str| {
        uri.query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == wanted)
            .map(|(_, value)| value)
    };
    match upstream {
        Upstream::Blob => blob(method, path, &query),
        Upstream::Queue => queue(method, path),
        Upstream::Table => table(method, path),
    }
}

fn blob<'a>(method: &Method, path: &str, query: &impl Fn(&str) -> Option<&'a str>) -> String {
    let what = query("comp").unwrap_or("whole");
    let Some((_, name)) = path.split_once('/') else {
        return match query("prefix") {
            Some(prefix) => format!("blob {method} container {what} {}", folder(prefix)),
            None => format!("blob {method} container {what}"),
        };
    };
    format!("blob {method} {} {what}", folder(name))
}

/// Manifests lie in a folder of their own; all else is data.
fn folder(name: &str) -> &'static str {
    if name.starts_with("manifests") {
        "manifest"
    } else {
        "data"
    }
}

fn queue(method: &Method, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [_, "messages"] => format!("queue {method} messages"),
        [_, "messages", _] => format!("queue {method} message"),
        _ => format!("queue {method} queue"),
    }
}

fn table(method: &Method, path: &str) -> String {
    match path.split_once('(') {
        Some((table, ")")) => format!("table {method} {table} query"),
        Some((table, key)) if key.starts_with("PartitionKey='active'") => {
            format!("table {method} {table} active entity")
        }
        Some((table, key)) if key.starts_with("PartitionKey=%27active%27") => {
            format!("table {method} {table} active entity")
        }
        Some((table, _)) => format!("table {method} {table} entity"),
        None => format!("table {method} {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(upstream: Upstream, method: &Method, uri: &str) -> String {
        name(upstream, method, &uri.parse().unwrap())
    }

    #[test]
    fn calls_that_do_the_same_have_one_name() {
        let entity = |id: &str| {
            let uri = format!("/devstoreaccount1/jobs(PartitionKey='a',RowKey='{id}')");
            named(Upstream::Table, &Method::PUT, &uri)
        };
        assert_eq!(entity("1"), "table PUT jobs entity");
        assert_eq!(entity("1"), entity("2"));
        assert_eq!(
            named(
                Upstream::Table,
                &Method::GET,
                "/devstoreaccount1/jobs()?$filter=x"
            ),
            "table GET jobs query"
        );
        assert_eq!(
            named(
                Upstream::Queue,
                &Method::GET,
                "/devstoreaccount1/q/messages?a=1"
            ),
            "queue GET messages"
        );
        assert_eq!(
            named(
                Upstream::Queue,
                &Method::DELETE,
                "/devstoreaccount1/q/messages/7?popreceipt=x"
            ),
            "queue DELETE message"
        );
    }

    #[test]
    fn blocks_commits_and_manifests_are_told_apart() {
        let put = |uri: &str| named(Upstream::Blob, &Method::PUT, uri);
        assert_eq!(
            put("/devstoreaccount1/backups/mysql/1/a.sql.gz?comp=block&blockid=x"),
            "blob PUT data block"
        );
        assert_eq!(
            put("/devstoreaccount1/backups/mysql/1/a.sql.gz?comp=blocklist"),
            "blob PUT data blocklist"
        );
        assert_eq!(
            put("/devstoreaccount1/backups/manifests/1/j.json"),
            "blob PUT manifest whole"
        );
        assert_eq!(
            named(
                Upstream::Blob,
                &Method::GET,
                "/devstoreaccount1/backups?restype=container&comp=list&prefix=manifests%2F"
            ),
            "blob GET container list manifest"
        );
    }
}
