use proptest::prelude::*;

use super::*;

fn read(text: &str) -> ConnectionString {
    ConnectionString::parse(text).unwrap()
}

fn whole(engine_type: Option<EngineType>) -> ConnectionString {
    ConnectionString {
        engine_type,
        host: Some("db.example.com".parse().unwrap()),
        port: Some(Port::try_from(6432).unwrap()),
        database: Some("shop".parse().unwrap()),
        username: Some("backup".parse().unwrap()),
        password: Some(SecretValue::new("s3cret")),
        encryption: Encryption::default(),
    }
}

#[test]
fn the_forms_of_portals_and_drivers_are_understood() {
    for text in [
        "Server=db.example.com;Port=6432;Database=shop;User Id=backup;Password=s3cret",
        "server = db.example.com ; port=6432;database=shop;uid=backup;pwd=s3cret;",
        "Data Source=tcp:db.example.com,6432;Initial Catalog=shop;User ID=backup;Password=\"s3cret\"",
        "Host=db.example.com:6432;Username=backup;Password='s3cret';Database=shop;SslMode=Preferred",
    ] {
        assert_eq!(read(text), whole(None), "{text}");
    }
    for (scheme, engine_type) in [
        ("postgresql", EngineType::PostgreSql),
        ("postgres", EngineType::PostgreSql),
        ("mysql", EngineType::MySql),
        ("mariadb", EngineType::MySql),
    ] {
        let text = format!("{scheme}://backup:s3cret@db.example.com:6432/shop?sslmode=prefer");
        assert_eq!(read(&text), whole(Some(engine_type)), "{text}");
    }
}

#[test]
fn passwords_may_hold_anything() {
    for (text, password) in [
        ("Server=h;Password=\"a;b\"\"c'd=\";", "a;b\"c'd="),
        ("Server=h;Password='a;b\"c''d'", "a;b\"c'd"),
        ("Server=h;Password=a=b==", "a=b=="),
        ("Server=h;Password= a b ;", "a b"),
        ("Server=h;Password=a://b@c", "a://b@c"),
        ("Password='x://';Server=h", "x://"),
        ("mysql://u:a%3Ab%40c%2F%25%C3%BC@h", "a:b@c/%\u{fc}"),
        ("mysql://u:a'b%22c@h", "a'b\"c"),
    ] {
        let found = read(text).password.unwrap();
        assert_eq!(found.expose(), password, "{text}");
    }
    assert_eq!(
        read("postgresql://u@[fd12::7]:1/d").host.unwrap().as_str(),
        "[fd12::7]"
    );
}

#[test]
fn what_is_not_understood_is_named_without_its_value() {
    for (text, word) in [
        ("Server=h;Pasword=s3cret", "'Pasword'"),
        ("Server=h;Password=s3cret;Password=s3cret", "twice"),
        ("Server=h;Password=\"s3cret", "not closed"),
        ("Server=h;Password=\"s3cret\"x", "closing quote"),
        ("Server=h,s3cret", "between 1 and 65535"),
        ("Server=s3 cret", "host name"),
        ("Server=/var/run/s3cret", "host name"),
        ("Server=h;SslMode=None;Password=s3cret", "leave it out"),
        (
            "mysql://u:s3cret@h/d?sslmode=disable",
            "turns encryption off",
        ),
        ("Server=h;Encrypt=s3cret", "'Encrypt' whose value"),
        ("Server=h;Trust Server Certificate=s3cret", "true or false"),
        (
            "mysql://u:s3cret@h/d?allowLoadLocalInfile=true",
            "'allowLoadLocalInfile'",
        ),
        ("http://u:s3cret@h", "must begin with"),
        ("mysql://u:s3%ffcret@h", "percent code"),
        ("mysql://u:s3cret#x@h", "is no URL"),
        ("Server=h;Password=x;s3cret=7", "in quotes"),
        ("mysql://u:12?s3cret=@h", "%3F"),
        ("s3cret", "must be a URL"),
        ("", "is empty"),
    ] {
        let error = ConnectionString::parse(text).unwrap_err().to_string();
        assert!(error.contains(word), "{text}: {error}");
        assert!(!error.contains("s3"), "{text}: {error}");
    }
    let shown = format!("{:?}", read("Server=h;Password=s3cret"));
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn what_insists_on_encryption_becomes_a_mode_that_is_never_weaker() {
    for (words, mode) in [
        ("", None),
        ("SslMode=Preferred", None),
        ("Encrypt=Optional;sslmode=allow", None),
        ("TrustServerCertificate=true", None),
        ("sslmode=require", Some(TlsMode::Require)),
        ("SSL Mode=Required", Some(TlsMode::Require)),
        ("sslmode=verify-ca", Some(TlsMode::VerifyFull)),
        ("SslMode=VerifyCA", Some(TlsMode::VerifyFull)),
        ("ssl_mode=VERIFY_IDENTITY", Some(TlsMode::VerifyFull)),
        ("SslMode=VerifyFull", Some(TlsMode::VerifyFull)),
        ("ssl=true", Some(TlsMode::VerifyFull)),
        ("useSSL=true", Some(TlsMode::VerifyFull)),
        ("Encrypt=Mandatory", Some(TlsMode::VerifyFull)),
        (
            "Encrypt=True;TrustServerCertificate=False",
            Some(TlsMode::VerifyFull),
        ),
        (
            "TrustServerCertificate=yes;Encrypt=yes",
            Some(TlsMode::Require),
        ),
        (
            "Encrypt=strict;TrustServerCertificate=true",
            Some(TlsMode::VerifyFull),
        ),
        (
            "sslmode=verify-full;ssl=1;TrustServerCertificate=true",
            Some(TlsMode::VerifyFull),
        ),
        ("ssl=true;sslmode=prefer", Some(TlsMode::VerifyFull)),
        ("sslmode=require;ssl=true", Some(TlsMode::VerifyFull)),
    ] {
        let found = read(&format!("Server=h;{words}"));
        assert_eq!(found.tls_mode(), mode, "{words}");
        let query = words.replace(';', "&");
        let found = read(&format!("postgresql://u@h/d?{query}"));
        assert_eq!(found.tls_mode(), mode, "?{query}");
    }
}

proptest! {
    #[test]
    fn a_quoted_password_is_read_back_whatever_it_holds(password in "[^\\x00]{1,40}") {
        for quote in ['"', '\''] {
            let doubled = password.replace(quote, &format!("{quote}{quote}"));
            let text = format!("Server=h;Password={quote}{doubled}{quote};User Id=u");
            let found = read(&text);
            let (kept, username) = (found.password.unwrap(), found.username.unwrap());
            prop_assert_eq!(kept.expose(), &*password);
            prop_assert_eq!(username.as_str(), "u");
        }
    }

    #[test]
    fn no_text_is_read_with_a_panic(text in "\\PC{0,60}") {
        ConnectionString::parse(&text).ok();
        ConnectionString::parse(&format!("mysql://{text}")).ok();
        ConnectionString::parse(&format!("Server={text}")).ok();
    }
}
