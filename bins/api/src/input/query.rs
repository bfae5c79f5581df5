//! Query parameters.

use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use dilux_core::Error;
use jiff::civil::{Date, DateTime};

use super::fields::Problems;
use crate::problem::{Answer, Problem};

/// A set of query parameters. `None` means that a problem was noted.
pub(crate) trait FromQuery: Sized {
    /// Reads it.
    fn read(filters: &Filters<'_>) -> Option<Self>;
}

/// The query parameters of a request.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: FromQuery, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let problems = Problems::default();
        let value = T::read(&Filters {
            pairs: &pairs,
            problems: &problems,
        });
        let found = problems.into_vec();
        match value {
            Some(value) if found.is_empty() => Ok(Self(value)),
            _ => Err(Error::Invalid(found).into()),
        }
    }
}

/// Query parameters under reading. An empty value counts as absent; unknown names are passed over;
/// of several values the last counts.
#[derive(Debug)]
pub(crate) struct Filters<'a> {
    pairs: &'a [(String, String)],
    problems: &'a Problems,
}

impl Filters<'_> {
    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Notes a problem.
    pub(crate) fn problem(&self, name: &str, reason: impl Into<String>) {
        self.problems.add(name, reason);
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Option<&str> {
        let found = self.text(name);
        if found.is_none() {
            self.problem(name, "is required");
        }
        found
    }

    /// A parsed parameter.
    pub(crate) fn parsed<T>(&self, name: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(name, error.to_string());
                None
            }
        }
    }

    /// A whole number in a range.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let number = self.text(name)?.parse().ok().filter(|n| range.contains(n));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.problem(
                name,
                format!("must be a whole number between {least} and {most}"),
            );
        }
        number
    }

    /// A flag, absent means `false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "no") => false,
            Some("true" | "1" | "yes") => true,
            Some(_) => {
                self.problem(name, "must be true or false");
                false
            }
        }
    }

    /// A day, written as a date or as an instant, of which the date counts.
    pub(crate) fn day(&self, name: &str) -> Option<Date> {
        let text = self.text(name)?;
        let day = text
            .parse::<Date>()
            .or_else(|_| text.parse::<DateTime>().map(DateTime::date))
            .ok();
        if day.is_none() {
            self.problem(name, "must be a date such as 2026-01-31");
        }
        day
    }
}
