//! Where somebody wanted to go who had to sign in first: a path of ours, and never another site.

use std::str::FromStr;

use url::Url;

/// Longest path, in bytes.
const LONGEST: usize = 1024;

/// A path with query and fragment on our own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnPath(String);

/// Why a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a path of this site, such as /databases")]
pub(crate) struct ForeignPath;

impl ReturnPath {
    /// The path.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl FromStr for ReturnPath {
    type Err = ForeignPath;

    /// Browsers read a backslash as a slash and pass over line ends, so neither may be there.
    fn from_str(text: &str) -> Result<Self, ForeignPath> {
        let is_plain = text.len() <= LONGEST
            && text.starts_with('/')
            && !text.starts_with("//")
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let ours = Url::parse("https://own.invalid/").ok();
        let joined = ours.as_ref().and_then(|ours| ours.join(text).ok());
        let stays =
            ours.is_some() && joined.map(|url| url.origin()) == ours.map(|url| url.origin());
        if is_plain && stays {
            Ok(Self(text.to_owned()))
        } else {
            Err(ForeignPath)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_returned_to() {
        for own in [
            "/",
            "/databases",
            "/databases?page=2&x=a%20b",
            "/#/jobs/1",
            "/a//b",
        ] {
            assert_eq!(own.parse::<ReturnPath>().unwrap().as_str(), own);
        }
        for foreign in [
            "",
            "databases",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/ /evil.example",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "/\r\nset-cookie: x=y",
            "/ü",
        ] {
            assert_eq!(
                foreign.parse::<ReturnPath>(),
                Err(ForeignPath),
                "{foreign:?}"
            );
        }
        let long = format!("/{}", "x".repeat(LONGEST));
        assert_eq!(long.parse::<ReturnPath>(), Err(ForeignPath));
    }
}
