use super::*;

fn status(problem: impl Into<Problem>) -> u16 {
    problem.into().0.status.as_u16()
}

#[test]
fn every_error_has_its_status() {
    let unavailable = Error::Unavailable {
        message: "x".into(),
        retry_after: None,
        source: None,
    };
    let internal = Error::Internal {
        message: "x".into(),
        source: None,
    };
    let too_many = Error::TooManyAttempts {
        message: "x".into(),
        retry_after: Duration::from_secs(1),
    };
    let not_found = Error::NotFound {
        what: "Engine",
        id: "x".into(),
    };
    let stale = Error::Stale {
        current: dilux_core::repository::Version::new("7"),
    };
    for (error, expected) in [
        (not_found, 404),
        (Error::AlreadyExists("x".into()), 409),
        (Error::invalid("a", "b"), 422),
        (Error::Refused("x".into()), 400),
        (Error::WrongState("x".into()), 409),
        (Error::Conflict("x".into()), 412),
        (stale, 412),
        (Error::Unauthenticated, 401),
        (Error::SignInRefused("x".into()), 401),
        (Error::Forbidden("x".into()), 403),
        (too_many, 429),
        (unavailable, 503),
        (internal, 500),
    ] {
        assert_eq!(status(error), expected);
    }
}

#[test]
fn every_refusal_has_its_status() {
    for (refusal, expected) in [
        (Refusal::MalformedJson("x".into()), 400),
        (Refusal::BodyTooLarge, 413),
        (Refusal::BodyUnreadable, 400),
        (Refusal::NoSuchRoute, 404),
        (Refusal::MethodNotAllowed, 405),
        (Refusal::TimedOut, 503),
        (Refusal::ForeignHost, 421),
        (Refusal::MalformedForwarding(header::FORWARDED), 400),
        (Refusal::TooManyRequests(Duration::ZERO), 429),
        (Refusal::Crowded, 503),
        (Refusal::RangeNotSatisfiable(3), 416),
        (Refusal::Panicked, 500),
    ] {
        assert_eq!(status(refusal), expected);
    }
}

#[test]
fn an_unavailable_dependency_says_when_to_try_again() {
    let error = Error::Unavailable {
        message: "storage does not answer".into(),
        retry_after: Some(Duration::from_secs(17)),
        source: None,
    };
    let response = Problem::from(error).into_response();
    assert_eq!(response.headers()[header::RETRY_AFTER], "17");
}
