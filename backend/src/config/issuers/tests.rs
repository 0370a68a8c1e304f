//! How the list of issuers is read, and what is said of one that makes no sense.

use super::*;

const ONE: &str =
    r#"[{"issuer": "https://id.example.com/", "audiences": ["kalamdb"], "jwks_url": "https://id.example.com/jwks"}]"#;

fn read(text: &str) -> Result<Vec<TrustedIssuer>, MustBe> {
    SettingValue::read(&Raw::Text(text.to_owned()))
}

#[test]
fn an_issuer_is_read_from_json_from_one_line_of_toml_and_from_a_file() {
    let wanted = TrustedIssuer {
        issuer: "https://id.example.com/".to_owned(),
        audiences: vec!["kalamdb".to_owned()],
        jwks: Jwks::Url("https://id.example.com/jwks".to_owned()),
        user_claim: "sub".to_owned(),
        user_prefix: String::new(),
        create_users: false,
        elevated_users: Vec::new(),
    };
    assert_eq!(read(ONE).unwrap(), std::slice::from_ref(&wanted));
    let toml = ONE.replace("\": ", "\" = ");
    assert_eq!(read(&toml).unwrap(), std::slice::from_ref(&wanted));
    let file: Table = toml::from_str(
        "[[auth.trusted_issuers]]\nissuer = \"https://id.example.com/\"\naudiences = [\"kalamdb\"]\n\
         jwks_url = \"https://id.example.com/jwks\"\n",
    )
    .unwrap();
    let raw = Raw::Toml(file["auth"]["trusted_issuers"].clone());
    assert_eq!(Vec::<TrustedIssuer>::read(&raw).unwrap(), [wanted]);
    assert_eq!(read("").unwrap(), []);
    assert_eq!(read("[]").unwrap(), []);
}

#[test]
fn what_is_written_reads_back() {
    let text = r#"[{"issuer": "a", "audiences": ["x", "y"], "jwks_file": "/keys.json", "user_claim": "email",
        "user_prefix": "a-", "create_users": true, "elevated_users": ["ops"]}]"#;
    let issuers = read(text).unwrap();
    let written = issuers.written().unwrap();
    assert!(!written.contains('\n'), "{written}");
    assert_eq!(read(&written).unwrap(), issuers);
    assert_eq!(Vec::<TrustedIssuer>::new().written().unwrap(), "[]");
}

#[test]
fn s06_an_issuer_that_makes_no_sense_is_refused_by_number_and_key() {
    for (change, wanted) in [
        ((r#""issuer": "https://id.example.com/", "#, ""), "number 1 needs \"issuer\""),
        ((r#"["kalamdb"]"#, "[]"), "needs \"audiences\""),
        ((r#"["kalamdb"]"#, r#""kalamdb""#), "\"audiences\""),
        ((r#"["kalamdb"]"#, "[1]"), "\"audiences\""),
        (("jwks_url", "jwks_uri"), "\"jwks_uri\", which there is not"),
        (("https://id.example.com/jwks", "http://id.example.com/jwks"), "https"),
        (("}]", r#", "jwks_file": "x"}]"#), "either"),
        ((r#""jwks_url": "https://id.example.com/jwks""#, r#""user_claim": "sub""#), "either"),
        (("}]", r#", "create_users": "yes"}]"#), "create_users"),
        (("}]", r#", "elevated_users": ["root"]}]"#), "root"),
        (("}]", r#", "elevated_users": ["a b"]}]"#), "elevated_users"),
        (("}]", r#", "user_prefix": "/"}]"#), "user_prefix"),
        (("[{", "{"), "a list of issuers"),
    ] {
        let text = ONE.replacen(change.0, change.1, 1);
        let refused = read(&text).unwrap_err();
        assert!(refused.contains(wanted), "{text}: {refused}");
        assert!(!refused.contains("example.com"), "values are not repeated: {refused}");
    }
    let twice = format!("[{0}, {0}]", &ONE[1..ONE.len() - 1]);
    assert!(read(&twice).unwrap_err().contains("number 2 is there twice"));
}
