//! Policies that are refused: each field with what is wrong, all at once, and never a 500.

use serde_json::{Value, json};

use crate::policies::POLICIES;
use crate::world::World;

/// A policy that is right, with every field.
fn right() -> Value {
    let tier = json!({
        "enabled": true, "keep_count": 2, "interval_hours": 2, "time": "03:00",
        "day_of_week": 1, "day_of_month": 2, "month": 3, "cron": "0 3 * * *",
    });
    json!({
        "name": "Right", "description": "x",
        "hourly": tier, "daily": tier, "weekly": tier, "monthly": tier, "yearly": tier,
        "time_zone": "Europe/Madrid",
        "blackouts": [{"days": [1], "from": "08:00", "until": "18:00"}],
        "jitter_minutes": 1, "catch_up_hours": 1,
    })
}

/// Values of every kind, most of them wrong wherever they stand.
pub(crate) fn odd() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("0"),
        json!("99:99"),
        json!("2:00"),
        json!("24:00"),
        json!("０２:００"),
        json!("Mars/Olympus"),
        json!("* * * * *"),
        json!("0 0 31 2 *"),
        json!("*/0 * * * *"),
        json!("L L L L L"),
        json!("0 0 * * 5#9"),
        json!("0 0 1W * *"),
        json!("1-99999999999 0 * * *"),
        json!("\u{0}"),
        json!("x".repeat(70_000)),
        json!([]),
        json!([null]),
        json!(["x"]),
        json!([{}]),
        json!({}),
        json!({"enabled": true}),
        json!({"x": {"y": []}}),
    ]
}

/// Every place in a body, as a JSON pointer.
pub(crate) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(key, it)| (key.clone(), it)).collect(),
        Value::Array(items) => (0..).map(|n: usize| n.to_string()).zip(items).collect(),
        _ => Vec::new(),
    };
    for (key, value) in inner {
        let at = format!("{at}/{key}");
        places(value, &at, found);
        found.push(at);
    }
}

#[tokio::test]
async fn whatever_stands_in_a_field_is_taken_or_refused_by_its_name() {
    let world = World::new().await;
    world.post(POLICIES, &right()).await.expect(201);
    let mut all = Vec::new();
    places(&right(), "", &mut all);
    assert!(all.len() > 50);
    let (mut refused, mut taken) = (0, 0);
    for place in all {
        for value in odd() {
            let mut body = right();
            *body.pointer_mut(&place).unwrap() = value.clone();
            let answer = world.put("/api/backup-policies/right", &body).await;
            let shown: String = value.to_string().chars().take(60).collect();
            if answer.status == 200 {
                taken += 1;
                let preview = world.get("/api/backup-policies/right/preview").await;
                preview.expect(200);
                continue;
            }
            refused += 1;
            let field = place.trim_start_matches('/').replace('/', ".");
            let fields = answer.refused_fields();
            let is_named = |named: &String| {
                named.starts_with(&field) || named == "blackouts" && field.starts_with(named)
            };
            assert!(fields.iter().all(is_named), "{place} {shown}: {fields:?}");
        }
    }
    assert!(refused > 1000 && taken > 100, "{refused} {taken}");
}

/// What is wrong with a policy named "Bad", which field is told of it, and a part of what is told.
const WRONG: &[(&str, &str, &str)] = &[
    (r#"{"name": null}"#, "name", "is required"),
    (r#"{"name": ""}"#, "name", "must not be empty"),
    (r#"{"name": 7}"#, "name", "must be text"),
    (r#"{"description": 7}"#, "description", "must be text"),
    (
        r#"{"description": "a\tb"}"#,
        "description",
        "control characters",
    ),
    (r#"{"daily": "yes"}"#, "daily", "must be an object"),
    (r#"{"daily": null}"#, "daily", r#""enabled": false"#),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "enabled": "yes"}}"#,
        "daily.enabled",
        "true or false",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "keep_count": 0}}"#,
        "daily.keep_count",
        "at least 1",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "keep_count": -1}}"#,
        "daily.keep_count",
        "between 1 and 100000",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "keep_count": null}}"#,
        "daily.keep_count",
        "is required for an enabled tier",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "keep_count": 2.5}}"#,
        "daily.keep_count",
        "whole number",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "interval_hours": 24}}"#,
        "daily.interval_hours",
        "between 1 and 12",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "time": "99:99"}}"#,
        "daily.time",
        "between 00:00 and 23:59",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "time": "2:00"}}"#,
        "daily.time",
        "between 00:00 and 23:59",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "day_of_week": 7}}"#,
        "daily.day_of_week",
        "0 (Sunday) and 6 (Saturday)",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "day_of_month": "last"}}"#,
        "daily.day_of_month",
        "whole number",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "day_of_month": 32}}"#,
        "daily.day_of_month",
        "31 is the last day of every month",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "month": 13}}"#,
        "daily.month",
        "between 1 and 12",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "cron": "0 25 * * *"}}"#,
        "daily.cron",
        "its hour must be 0-23",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "cron": "@daily"}}"#,
        "daily.cron",
        "such as '30 2 * * MON-FRI'",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "cron": "* * * * *"}}"#,
        "daily.cron",
        "at least 15 minutes",
    ),
    (
        r#"{"daily": {"enabled": true, "keep_count": 1, "cron": "0 0 30 2 *"}}"#,
        "daily.cron",
        "a time that never comes",
    ),
    (
        r#"{"time_zone": "Mars/Olympus"}"#,
        "time_zone",
        "such as UTC or Europe/Madrid",
    ),
    (r#"{"blackouts": {}}"#, "blackouts", "must be a list"),
    (
        r#"{"blackouts": ["night"]}"#,
        "blackouts.0",
        "must be an object",
    ),
    (
        r#"{"blackouts": [{"from": "08:00"}]}"#,
        "blackouts.0.until",
        "is required",
    ),
    (
        r#"{"blackouts": [{"from": "8", "until": "18:00"}]}"#,
        "blackouts.0.from",
        "time of day",
    ),
    (
        r#"{"blackouts": [{"days": [1, 7], "from": "08:00", "until": "18:00"}]}"#,
        "blackouts.0.days.1",
        "0 (Sunday) and 6 (Saturday)",
    ),
    (
        r#"{"blackouts": [{"from": "08:00", "until": "08:00"}]}"#,
        "blackouts",
        "at least an hour of the week",
    ),
    (
        r#"{"jitter_minutes": 61}"#,
        "jitter_minutes",
        "between 0 and 60",
    ),
    (
        r#"{"catch_up_hours": 0}"#,
        "catch_up_hours",
        "between 1 and 8784",
    ),
    (r#"{"id": "good"}"#, "id", "leave it out"),
    (r#"{"is_system": true}"#, "is_system", "the product's own"),
];

#[tokio::test]
async fn each_field_is_refused_with_what_would_be_right() {
    let world = World::new().await;
    for (wrong, field, reason) in WRONG {
        let mut body = json!({"name": "Bad"});
        let fields: Value = serde_json::from_str(wrong).unwrap();
        for (key, value) in fields.as_object().unwrap() {
            body[key] = value.clone();
        }
        let answer = world.post(POLICIES, &body).await.expect(422);
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{wrong}: {answer}");
        assert_eq!(errors[0]["field"], json!(field), "{wrong}");
        let found = errors[0]["reason"].as_str().unwrap();
        assert!(found.contains(reason), "{wrong}: {found}");
    }
    assert_eq!(
        world.post(POLICIES, &json!({})).await.refused_fields(),
        ["name"]
    );
    let listed = world.get(POLICIES).await.expect(200);
    assert_eq!(listed["count"], json!(3), "none was made");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let world = World::new().await;
    let body = json!({
        "name": "", "description": [], "is_system": "no",
        "hourly": {"enabled": true, "interval_hours": 0},
        "daily": {"enabled": false, "keep_count": -1, "time": "99:99"},
        "weekly": 7, "monthly": null,
        "yearly": {"enabled": true, "keep_count": 1, "day_of_month": 0, "month": 0, "cron": "x"},
        "time_zone": 1, "blackouts": [{}], "jitter_minutes": "5", "catch_up_hours": true,
    });
    let fields = world.post(POLICIES, &body).await.refused_fields();
    assert_eq!(
        fields,
        [
            "blackouts.0.from",
            "blackouts.0.until",
            "catch_up_hours",
            "daily.keep_count",
            "daily.time",
            "description",
            "hourly.interval_hours",
            "hourly.keep_count",
            "is_system",
            "jitter_minutes",
            "monthly",
            "name",
            "time_zone",
            "weekly",
            "yearly.cron",
            "yearly.day_of_month",
            "yearly.month",
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_changed_is_taken_unchanged_and_refused_otherwise() {
    let world = World::new().await;
    let path = "/api/backup-policies/development";
    let same = json!({"id": "development", "is_system": true, "summary": "x", "created_at": 7});
    world.put(path, &same).await.expect(200);
    let other = json!({"id": "ours", "is_system": false, "name": "Ours"});
    let fields = world.put(path, &other).await.refused_fields();
    assert_eq!(fields, ["id", "is_system"]);
    let nulls = json!({"name": null});
    assert_eq!(world.put(path, &nulls).await.refused_fields(), ["name"]);
    let read = world.get(path).await.expect(200);
    assert_eq!(read["policy"]["name"], json!("Development"));
    let own_id = json!({"id": "ours", "is_system": false, "name": "Ours"});
    world.post(POLICIES, &own_id).await.expect(201);
}

#[tokio::test]
async fn a_disabled_tier_may_say_what_it_likes_within_the_rules() {
    let world = World::new().await;
    let body = json!({
        "name": "Quiet",
        "daily": {"enabled": false, "keep_count": 0, "time": "", "cron": null},
        "weekly": {"keep_count": 9, "day_of_week": 3},
    });
    let made = world.post(POLICIES, &body).await.expect(201);
    assert_eq!(made["policy"]["summary"], json!("No retention"));
    let preview = world.get("/api/backup-policies/quiet/preview").await;
    assert_eq!(preview.expect(200)["runs"], json!([]));
}
